// Signs in with nothing but protos/ and a credential: a client certificate, a token, or a token bound to a certificate.
// usage: node sign_in.js SETTINGS.json   (protos, ca, attempts: [{address, cert?, key?, token?}, ...])
// Prints one line of JSON: for each attempt who the service says is calling, or the code and reason of the refusal.
"use strict";
const fs = require("fs");
const path = require("path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const settings = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const files = fs
  .readdirSync(path.join(settings.protos, "frs/v1"))
  .filter((name) => name.endsWith(".proto"))
  .map((name) => `frs/v1/${name}`);
const contract = grpc.loadPackageDefinition(
  loader.loadSync(files, { includeDirs: [settings.protos], longs: Number, enums: String, defaults: true }),
).frs.v1;

function credentials({ cert, key, token }) {
  const read = (file) => (file ? fs.readFileSync(file) : null);
  const connection = grpc.credentials.createSsl(fs.readFileSync(settings.ca), read(key), read(cert));
  if (!token) return connection;
  const bearer = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    done(null, metadata);
  });
  return grpc.credentials.combineChannelCredentials(connection, bearer);
}

const signIn = (attempt) =>
  new Promise((resolve) => {
    const identities = new contract.IdentityService(attempt.address, credentials(attempt));
    identities.WhoAmI({}, { deadline: Date.now() + 20000 }, (error, identity) => {
      identities.close();
      resolve(error ? { code: error.code, details: error.details } : identity);
    });
  });

Promise.all(settings.attempts.map(signIn)).then((answers) => console.log(JSON.stringify(answers)));
