// Reads a JSON array of requests from standard input, answers each with typage, writes a JSON array.
import * as age from "age-encryption";
import { readFileSync } from "node:fs";

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (data) => Buffer.from(data).toString("base64");

async function answer(request) {
  if (request.do === "vectors") {
    const vectors = await import("cctv-age");
    return Object.fromEntries(Object.entries(vectors.default ?? vectors).map(([name, data]) => [name, text(data)]));
  }
  if (request.do === "generate") return age.generateHybridIdentity();
  if (request.do === "recipient") return age.identityToRecipient(request.identity);
  if (request.do === "encrypt") {
    const encrypter = new age.Encrypter();
    if (request.passphrase) {
      encrypter.setScryptWorkFactor(10);
      encrypter.setPassphrase(request.passphrase);
    }
    for (const recipient of request.recipients ?? []) encrypter.addRecipient(recipient);
    return text(await encrypter.encrypt(bytes(request.data)));
  }
  const decrypter = new age.Decrypter();
  if (request.passphrase) decrypter.addPassphrase(request.passphrase);
  for (const identity of request.identities ?? []) decrypter.addIdentity(identity);
  return text(await decrypter.decrypt(bytes(request.data)));
}

const answers = [];
for (const request of JSON.parse(readFileSync(0, "utf8"))) answers.push(await answer(request));
process.stdout.write(JSON.stringify(answers));
