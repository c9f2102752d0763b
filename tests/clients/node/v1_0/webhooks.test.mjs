// Webhook endpoints. Their host name does not exist, so every delivery fails.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { Webhook } from "standardwebhooks";

import { address, eventually } from "../lib/server.mjs";
import { expectError, forEachVersion } from "./environment.mjs";

const UNREACHABLE = "https://hooks.invalid/in";

forEachVersion((env, version) => {
  const { errors } = env;
  const hooks = () => env.polar.webhooks;
  const create = (fields = {}) => hooks().createWebhookEndpoint(
    { url: UNREACHABLE, format: "raw", events: ["member.created"], ...fields });

  test(`${version}: create, get and list`, async () => {
    const created = await create({ name: "Hook" });
    assert.deepEqual([created.url, created.format, created.name, created.events, created.enabled, created.organization_id],
      [UNREACHABLE, "raw", "Hook", ["member.created"], true, env.organization.id]);
    // The type in the SDK requires both.
    assert.equal(typeof created.api_version, "string");
    assert.equal(typeof created.uses_standard_webhook_signature, "boolean");
    const found = await hooks().getWebhookEndpoint(created.id);
    assert.deepEqual([found.id, found.url], [created.id, created.url]);
    assert.equal((await hooks().listWebhookEndpoints({ limit: 1 })).items[0].id, created.id);
    const seen = [];
    for await (const one of hooks().iterListWebhookEndpoints({ limit: 1 })) seen.push(one.id);
    assert.ok(seen.includes(created.id));
    assert.deepEqual((await hooks().listWebhookEndpoints({ organization_id: env.otherOrganization.id })).items, []);
  });

  test(`${version}: create and list refuse`, async () => {
    for (const url of ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://[::1]/"]) {
      const { error } = await expectError(() => create({ url }), errors.HTTPValidationError);
      assert.deepEqual(error.detail.map((item) => item.loc.slice(0, 2)), [["body", "url"]]);
    }
    await expectError(() => create({ format: "xml" }), errors.HTTPValidationError, "enum body format");
    await expectError(() => create({ events: ["nothing"] }), errors.HTTPValidationError, "enum body events 0");
    await expectError(() => hooks().listWebhookEndpoints({ page: 0 }),
      errors.HTTPValidationError, "greater_than query page");
  });

  test(`${version}: update`, async () => {
    const { id } = await create();
    const changes = { url: "https://hooks.invalid/other", name: "Renamed", format: "slack",
      events: ["customer.created"], enabled: false };
    const updated = await hooks().updateWebhookEndpoint(id, changes);
    for (const [name, value] of Object.entries(changes)) assert.deepEqual(updated[name], value);
    const { error } = await expectError(() => hooks().updateWebhookEndpoint(id, { url: "http://example.com/" }),
      errors.HTTPValidationError);
    assert.deepEqual(error.detail[0].loc.slice(0, 2), ["body", "url"]);
  });

  test(`${version}: a reset secret works with the standard library and the SDK`, async () => {
    const endpoint = await create();
    const { id, secret } = await hooks().resetWebhookEndpointSecret(endpoint.id);
    assert.equal(id, endpoint.id);
    assert.notEqual(secret, endpoint.secret);
    const now = new Date();
    const { owner: data } = await env.membersByRole(await env.createTeam());
    const body = JSON.stringify({ type: "member.created", timestamp: now.toISOString(), data });
    const headers = { "webhook-id": "evt", "webhook-timestamp": String(Math.floor(now / 1000)),
      "webhook-signature": new Webhook(secret).sign("evt", now, body) };
    assert.ok(new Webhook(secret).verify(body, headers));
    assert.deepEqual((await env.webhooks.validateEvent(body, headers, secret)).data, data);
    await assert.rejects(env.webhooks.validateEvent(body, headers, endpoint.secret),
      env.webhooks.PolarWebhookVerificationError);
  });

  test(`${version}: delete`, async () => {
    const { id } = await create();
    assert.equal(await hooks().deleteWebhookEndpoint(id), undefined);
    for (const call of [
      () => hooks().getWebhookEndpoint(id), () => hooks().updateWebhookEndpoint(id, {}),
      () => hooks().resetWebhookEndpointSecret(id), () => hooks().deleteWebhookEndpoint(id),
      () => hooks().redeliverWebhookEvent(randomUUID())]) await expectError(call, errors.ResourceNotFound);
  });

  test(`${version}: another organization, and a missing scope`, async () => {
    const { id } = await create();
    await expectError(() => env.other.webhooks.getWebhookEndpoint(id), errors.ResourceNotFound);
    await expectError(() => env.other.webhooks.deleteWebhookEndpoint(id), errors.ResourceNotFound);
    const reader = env.clientWith("webhooks:read").webhooks;
    await expectError(() => reader.deleteWebhookEndpoint(id), 403);
    await expectError(() => reader.resetWebhookEndpointSecret(id), 403);
    await expectError(() => reader.redeliverWebhookEvent(randomUUID()), 403);
  });

  test(`${version}: deliveries and redelivery`, async () => {
    const endpoint = await create();
    const team = await env.createTeam();
    const member = await env.polar.customers.members.create(team.id, { email: address() });
    const list = async (filters = {}) => (await hooks().listWebhookDeliveries(
      { endpoint_id: endpoint.id, limit: 100, ...filters })).items;
    const [delivery] = await eventually(async () => {
      const found = (await list()).filter((one) => one.webhook_event.payload?.includes(member.id));
      return found.length && found;
    }, 30, "a delivery");
    assert.deepEqual([delivery.succeeded, delivery.http_code, delivery.webhook_event.type],
      [false, null, "member.created"]);
    assert.deepEqual(await list({ succeeded: true }), []);
    assert.deepEqual(await list({ http_code_class: "2xx", event_type: ["member.created"] }), []);
    const before = (await list()).length;
    assert.equal(await hooks().redeliverWebhookEvent(delivery.webhook_event.id), null);
    await eventually(async () => (await list()).length > before, 30, "a second delivery");
  });

  test(`${version}: deliveries refuse invalid filters`, async () => {
    for (const filters of [{ page: 0 }, { http_code_class: "6xx" }, { endpoint_id: "malformed" }]) {
      await expectError(() => hooks().listWebhookDeliveries(filters), errors.HTTPValidationError);
    }
  });
});
