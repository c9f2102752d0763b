// The example of README.md.
import assert from "node:assert/strict";
import { test } from "node:test";

import { runReadmeExample } from "../lib/readme.mjs";
import { startServer } from "../lib/server.mjs";

test("the example of the README", async () => {
  const server = await startServer();
  try {
    const organization = server.cli.createOrganization("readme", "Readme", "founder@example.com");
    const token = server.cli.createToken(organization.id);
    assert.equal(runReadmeExample("@polar-sh/sdk", "polar-0-48", server.base, token), "0\n");
  } finally {
    await server.stop();
  }
});
