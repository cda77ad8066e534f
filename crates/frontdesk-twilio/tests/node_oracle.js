// Validates requests given as JSON lines with the official Node SDK, for `node_oracle.py`.
//
// A line is {"token", "url", "params", "signature"}; prints {"valid", "expected"} for each. The first argument is the
// folder into which npm installed the SDK.

const path = require("node:path");
const readline = require("node:readline");

const { validateRequest, getExpectedTwilioSignature } = require(path.join(process.argv[2], "node_modules", "twilio"));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { token, url, params, signature } = JSON.parse(line);
  const valid = validateRequest(token, signature, url, params);
  const expected = getExpectedTwilioSignature(token, url, params);
  process.stdout.write(`${JSON.stringify({ valid, expected })}\n`);
});
