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
    assert.equal(runReadmeExample("@polar-sh/sdk/2026-10", "polar-1-0/2026-10", server.base, token), "readme\n");
  } finally {
    await server.stop();
  }
});
