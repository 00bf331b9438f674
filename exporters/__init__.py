"""Ways a message leaves the archive: files a person, another mail program or a lawyer can open."""
