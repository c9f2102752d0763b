// Webhook endpoints. Their host name does not exist, so every delivery fails.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { validateEvent, WebhookVerificationError } from "polar-0-48/webhooks";
import { Webhook } from "standardwebhooks";

import { address, eventually } from "../lib/server.mjs";
import { errors, expectError, testEnvironment } from "./environment.mjs";

const UNREACHABLE = "https://hooks.invalid/in";
const env = testEnvironment();

const create = (fields = {}) => env.polar.webhooks.createWebhookEndpoint(
  { url: UNREACHABLE, format: "raw", events: ["member.created"], ...fields });

test("create and get", async () => {
  const endpoint = await create({ name: "Hook" });
  assert.deepEqual([endpoint.url, endpoint.format, endpoint.name, endpoint.enabled, endpoint.events],
    [UNREACHABLE, "raw", "Hook", true, ["member.created"]]);
  assert.equal(endpoint.organizationId, env.organization.id);
  assert.ok(endpoint.secret.startsWith("whsec_"));
  const found = await env.polar.webhooks.getWebhookEndpoint({ id: endpoint.id });
  assert.deepEqual([found.id, found.url], [endpoint.id, endpoint.url]);
});

test("create refuses an invalid URL", async () => {
  for (const url of ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://[::1]/"]) {
    const error = await expectError(() => create({ url }), errors.HTTPValidationError);
    assert.deepEqual(error.detail.map((item) => item.loc.slice(0, 2)), [["body", "url"]]);
  }
});

test("list", async () => {
  const created = [await create(), await create(), await create()];
  const { result } = await env.polar.webhooks.listWebhookEndpoints({ limit: 2, organizationId: [env.organization.id] });
  assert.deepEqual(result.items.map((endpoint) => endpoint.id), [created[2].id, created[1].id]);
  const none = await env.polar.webhooks.listWebhookEndpoints({ organizationId: env.otherOrganization.id });
  assert.deepEqual(none.result.items, []);
  await expectError(() => env.polar.webhooks.listWebhookEndpoints({ page: 0 }),
    errors.HTTPValidationError, "greater_than query page");
});

test("update", async () => {
  const { id } = await create();
  const updated = await env.polar.webhooks.updateWebhookEndpoint({ id, webhookEndpointUpdate: {
    url: "https://hooks.invalid/other", name: "Renamed", format: "slack", events: ["customer.created"],
    enabled: false } });
  assert.deepEqual([updated.url, updated.name, updated.format, updated.events, updated.enabled],
    ["https://hooks.invalid/other", "Renamed", "slack", ["customer.created"], false]);
  const error = await expectError(() => env.polar.webhooks.updateWebhookEndpoint(
    { id, webhookEndpointUpdate: { url: "http://example.com/" } }), errors.HTTPValidationError);
  assert.deepEqual(error.detail[0].loc.slice(0, 2), ["body", "url"]);
});

test("a reset secret works with the standard library and the SDK", async () => {
  const endpoint = await create();
  const reset = await env.polar.webhooks.resetWebhookEndpointSecret({ id: endpoint.id });
  assert.equal(reset.id, endpoint.id);
  assert.notEqual(reset.secret, endpoint.secret);
  const now = new Date();
  const { owner } = await env.membersByRole(await env.createTeam());
  const body = JSON.stringify({ type: "member.created", timestamp: now.toISOString(), data: {
    id: owner.id, created_at: owner.createdAt, modified_at: null, customer_id: owner.customerId,
    email: owner.email, name: null, external_id: null, role: "owner" } });
  const headers = (signature) => ({ "webhook-id": "evt",
    "webhook-timestamp": String(Math.floor(now / 1000)), "webhook-signature": signature });
  const standard = new Webhook(reset.secret);
  assert.ok(standard.verify(body, headers(standard.sign("evt", now, body))));
  // This SDK uses the bytes of the whole secret as the key; the standard decodes the part after the prefix.
  const ofSdk = new Webhook(Buffer.from(reset.secret).toString("base64")).sign("evt", now, body);
  const event = validateEvent(body, headers(`${standard.sign("evt", now, body)} ${ofSdk}`), reset.secret);
  assert.deepEqual([event.type, event.data.id], ["member.created", owner.id]);
  assert.throws(() => validateEvent(body, headers(ofSdk), endpoint.secret), WebhookVerificationError);
});

test("delete", async () => {
  const { id } = await create();
  assert.equal(await env.polar.webhooks.deleteWebhookEndpoint({ id }), undefined);
  for (const call of [
    () => env.polar.webhooks.getWebhookEndpoint({ id }),
    () => env.polar.webhooks.updateWebhookEndpoint({ id, webhookEndpointUpdate: {} }),
    () => env.polar.webhooks.resetWebhookEndpointSecret({ id }),
    () => env.polar.webhooks.deleteWebhookEndpoint({ id }),
    () => env.polar.webhooks.redeliverWebhookEvent({ id: randomUUID() }),
  ]) await expectError(call, errors.ResourceNotFound);
});

test("another organization, and a missing scope", async () => {
  const { id } = await create();
  await expectError(() => env.other.webhooks.getWebhookEndpoint({ id }), errors.ResourceNotFound);
  await expectError(() => env.other.webhooks.deleteWebhookEndpoint({ id }), errors.ResourceNotFound);
  const reader = env.clientWith("webhooks:read");
  await expectError(() => reader.webhooks.deleteWebhookEndpoint({ id }), 403);
  await expectError(() => reader.webhooks.resetWebhookEndpointSecret({ id }), 403);
  await expectError(() => reader.webhooks.redeliverWebhookEvent({ id: randomUUID() }), 403);
});

test("deliveries and redelivery", async () => {
  const endpoint = await create();
  const team = await env.createTeam();
  const member = await env.polar.members.createMember({ customerId: team.id, email: address() });
  const list = async (filters = {}) => (await env.polar.webhooks.listWebhookDeliveries(
    { endpointId: endpoint.id, limit: 100, ...filters })).result.items;
  const [delivery] = await eventually(async () => {
    const found = (await list()).filter((one) => one.webhookEvent.payload?.includes(member.id));
    return found.length && found;
  }, 30, "a delivery");
  assert.deepEqual([delivery.succeeded, delivery.httpCode, delivery.webhookEvent.type],
    [false, null, "member.created"]);
  assert.deepEqual(await list({ succeeded: true }), []);
  assert.deepEqual(await list({ httpCodeClass: "2xx", eventType: ["member.created"] }), []);
  assert.deepEqual(await list({ startTimestamp: new Date() }), []);
  const before = (await list()).length;
  assert.equal(await env.polar.webhooks.redeliverWebhookEvent({ id: delivery.webhookEvent.id }), null);
  await eventually(async () => (await list()).length > before, 30, "a second delivery");
});

test("deliveries refuse invalid filters", async () => {
  for (const filters of [{ page: 0 }, { limit: 0 }, { endpointId: "malformed" }]) {
    await expectError(() => env.polar.webhooks.listWebhookDeliveries(filters), errors.HTTPValidationError);
  }
});
