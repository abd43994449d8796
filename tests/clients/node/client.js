// Enrols, streams, identifies, reviews and reads the log with nothing but protos/ and the certificates of those whose
// duties these are.
// usage: node client.js SETTINGS.json   (address, certs, protos, enrol, frames[], stranger, watchlist)
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
const certs = (name) => fs.readFileSync(path.join(settings.certs, name));
const credentials = (identity) =>
  grpc.credentials.createSsl(certs("ca.crt"), certs(`${identity}.key`), certs(`${identity}.crt`));
const options = { "grpc.max_receive_message_length": 64 << 20, "grpc.max_send_message_length": 64 << 20 };
const stub = (name, identity) => new contract[name](settings.address, credentials(identity), options);
const call = (service, method, request) =>
  new Promise((resolve, reject) =>
    service[method](request, { deadline: Date.now() + 60000 }, (error, reply) => (error ? reject(error) : resolve(reply))),
  );
const timestamp = (ms) => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 });

async function stream(deployment) {
  const live = stub("LiveService", "camera").Stream();
  const seen = { alerts: [], progress: null, problems: [] };
  const finished = new Promise((resolve, reject) => {
    live.on("data", (message) => {
      if (message.alert) seen.alerts.push(message.alert.alert);
      if (message.progress) seen.progress = message.progress;
      if (message.problem) seen.problems.push(message.problem);
    });
    live.on("error", reject);
    live.on("end", resolve);
  });
  live.write({ open: { deployment, cameraId: "node-camera", lossless: true } });
  const start = Date.now();
  settings.frames.forEach((file, index) =>
    live.write({
      frame: { data: fs.readFileSync(file), captureTime: timestamp(start + index * 200), sequence: index + 1 },
    }),
  );
  live.end();
  await finished;
  return seen;
}

async function firstAlert(deployment) {
  const watch = stub("ReviewService", "superintendent").WatchAlerts({ deployment, withImages: true });
  return new Promise((resolve, reject) => {
    watch.on("data", (message) => {
      resolve(message);
      watch.cancel();
    });
    watch.on("error", (error) => (error.code === grpc.status.CANCELLED ? undefined : reject(error)));
  });
}

async function decide(deployment) {
  const reviews = stub("ReviewService", "reviewer");
  const { cases } = await call(reviews, "ListCases", { deployment });
  const { name } = cases[0];
  const claimed = await call(reviews, "ClaimCase", { name });
  const features = ["FEATURE_EARS", "FEATURE_NOSE", "FEATURE_MOUTH"];
  const observed = await call(reviews, "RecordObservation", {
    name,
    observation: {
      features: features.map((feature) => ({ feature, finding: "FINDING_AGREES" })),
      probeQuality: "SEEN_QUALITY_USABLE",
      referenceQuality: "SEEN_QUALITY_GOOD",
      occlusions: ["OCCLUSION_NONE"],
    },
  });
  const decided = await call(reviews, "DecideCase", { name, decision: "DECISION_TRUE", reason: "same scar and ears" });
  return {
    withheld: claimed.scoreWithheld,
    before: claimed.candidates[0].score,
    after: observed.candidates[0].score,
    state: decided.state,
  };
}

async function main() {
  const watchlists = stub("WatchlistService", "manager");
  const superintendent = stub("WatchlistService", "superintendent");
  const name = `watchlists/${settings.watchlist}`;
  const thresholds = (settings.thresholds || []).map(([mode, score]) => ({ mode, score }));
  await call(watchlists, "CreateWatchlist", {
    watchlistId: settings.watchlist,
    watchlist: {
      purpose: "a client in another language",
      category: "wanted",
      legalBasis: "test of the contract",
      authorisingOfficer: "Supt Test",
      expireTime: timestamp(Date.now() + 3600e3),
      thresholds,
    },
  });
  const enrolled = await call(watchlists, "EnrolSubject", {
    parent: name,
    subject: { nominal: "NODE/1", justification: "wanted on warrant", lawfullyHeld: true },
    images: [{ data: fs.readFileSync(settings.enrol), source: "custody", takenOn: "2026-01-02" }],
  });
  for (const method of ["ApproveWatchlist", "ActivateWatchlist", "ReviewWatchlist"]) {
    await call(superintendent, method, { name });
  }
  const deployment = await call(stub("DeploymentService", "superintendent"), "OpenDeployment", {
    deployment: {
      purpose: "find a wanted person",
      place: "the high street",
      authorisingOfficer: "Supt Test",
      watchlists: [name],
      endTime: timestamp(Date.now() + 1800e3),
    },
  });
  const streamed = await stream(deployment.name);
  const alert = await firstAlert(deployment.name);
  const decided = await decide(deployment.name);
  await call(stub("DeploymentService", "superintendent"), "EndDeployment", { name: deployment.name });
  const operator = stub("OperatorService", "officer");
  const identify = (photograph) =>
    call(operator, "Identify", {
      photograph: fs.readFileSync(photograph),
      reason: "gave no name",
      legalPower: "PACE s64A",
      device: "handset-7",
      watchlists: [name],
    });
  const match = await identify(settings.enrol);
  const noMatch = await identify(settings.stranger);
  const outcome = await call(operator, "RecordOutcome", {
    name: match.search,
    outcome: "OUTCOME_SAME_PERSON",
    reason: "documents found",
  });
  let refusal = null;
  try {
    await call(watchlists, "GetWatchlist", { name: "watchlists/not-there" });
  } catch (error) {
    refusal = { code: error.code, details: error.details, rich: error.metadata.get("grpc-status-details-bin").length };
  }
  const oversight = stub("OversightService", "oversight");
  const events = await call(oversight, "ListEvents", { pageSize: 1000, watchlist: name });
  const checkpoint = await call(oversight, "GetCheckpoint", {});
  console.log(
    JSON.stringify({
      subject: enrolled.subject.name,
      warnings: enrolled.warnings,
      alerts: streamed.alerts,
      progress: streamed.progress,
      problems: streamed.problems,
      watched: { position: alert.position, alert: alert.alert.name, probe: alert.alert.probeImageJpeg.length },
      decided,
      match: { matched: match.matched, nominal: (match.candidates[0] || {}).nominal, owed: match.outcomesOwed },
      noMatch: { matched: noMatch.matched, candidates: noMatch.candidates.length },
      outcome: outcome.outcome,
      refusal,
      actions: events.events.map((event) => event.action),
      treeSize: checkpoint.treeSize,
      note: checkpoint.signedNote,
    }),
  );
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
