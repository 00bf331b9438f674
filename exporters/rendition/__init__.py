"""A message as pages: what a person can read and a court can print. The .eml is the record, the PDF a rendition."""
