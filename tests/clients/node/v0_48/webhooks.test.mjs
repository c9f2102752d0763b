// Webhook endpoints. Deliveries go to a name that never exists, so each attempt fails.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { validateEvent, WebhookVerificationError } from "polar-0-48/webhooks";
import { Webhook } from "standardwebhooks";

import { address, eventually } from "../lib/server.mjs";
import { errors, refused, world } from "./world.mjs";

const NOWHERE = "https://hooks.invalid/in";
const it = world();

const create = (fields = {}) => it.polar.webhooks.createWebhookEndpoint(
  { url: NOWHERE, format: "raw", events: ["member.created"], ...fields });

test("create and get", async () => {
  const endpoint = await create({ name: "Hook" });
  assert.deepEqual([endpoint.url, endpoint.format, endpoint.name, endpoint.enabled, endpoint.events],
    [NOWHERE, "raw", "Hook", true, ["member.created"]]);
  assert.equal(endpoint.organizationId, it.organization.id);
  assert.ok(endpoint.secret.startsWith("whsec_"));
  const found = await it.polar.webhooks.getWebhookEndpoint({ id: endpoint.id });
  assert.deepEqual([found.id, found.url], [endpoint.id, endpoint.url]);
});

test("create refuses a bad url", async () => {
  for (const url of ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://[::1]/"]) {
    const error = await refused(() => create({ url }), errors.HTTPValidationError);
    assert.deepEqual(error.detail.map((item) => item.loc.slice(0, 2)), [["body", "url"]]);
  }
});

test("list", async () => {
  const made = [await create(), await create(), await create()];
  const { result } = await it.polar.webhooks.listWebhookEndpoints({ limit: 2, organizationId: [it.organization.id] });
  assert.deepEqual(result.items.map((endpoint) => endpoint.id), [made[2].id, made[1].id]);
  const none = await it.polar.webhooks.listWebhookEndpoints({ organizationId: it.otherOrganization.id });
  assert.deepEqual(none.result.items, []);
  await refused(() => it.polar.webhooks.listWebhookEndpoints({ page: 0 }),
    errors.HTTPValidationError, "greater_than query page");
});

test("update", async () => {
  const { id } = await create();
  const updated = await it.polar.webhooks.updateWebhookEndpoint({ id, webhookEndpointUpdate: {
    url: "https://hooks.invalid/other", name: "Renamed", format: "slack", events: ["customer.created"],
    enabled: false } });
  assert.deepEqual([updated.url, updated.name, updated.format, updated.events, updated.enabled],
    ["https://hooks.invalid/other", "Renamed", "slack", ["customer.created"], false]);
  const error = await refused(() => it.polar.webhooks.updateWebhookEndpoint(
    { id, webhookEndpointUpdate: { url: "http://example.com/" } }), errors.HTTPValidationError);
  assert.deepEqual(error.detail[0].loc.slice(0, 2), ["body", "url"]);
});

test("the secret is reset and fits stock verifiers", async () => {
  const endpoint = await create();
  const reset = await it.polar.webhooks.resetWebhookEndpointSecret({ id: endpoint.id });
  assert.equal(reset.id, endpoint.id);
  assert.notEqual(reset.secret, endpoint.secret);
  const now = new Date();
  const { owner } = await it.members(await it.team());
  const body = JSON.stringify({ type: "member.created", timestamp: now.toISOString(), data: {
    id: owner.id, created_at: owner.createdAt, modified_at: null, customer_id: owner.customerId,
    email: owner.email, name: null, external_id: null, role: "owner" } });
  const headers = (signature) => ({ "webhook-id": "evt",
    "webhook-timestamp": String(Math.floor(now / 1000)), "webhook-signature": signature });
  const stock = new Webhook(reset.secret);
  assert.ok(stock.verify(body, headers(stock.sign("evt", now, body))));
  // This SDK's helper signs with the bytes of the whole secret.
  const whole = new Webhook(Buffer.from(reset.secret).toString("base64")).sign("evt", now, body);
  const event = validateEvent(body, headers(`${stock.sign("evt", now, body)} ${whole}`), reset.secret);
  assert.deepEqual([event.type, event.data.id], ["member.created", owner.id]);
  assert.throws(() => validateEvent(body, headers(whole), endpoint.secret), WebhookVerificationError);
});

test("delete", async () => {
  const { id } = await create();
  assert.equal(await it.polar.webhooks.deleteWebhookEndpoint({ id }), undefined);
  for (const call of [
    () => it.polar.webhooks.getWebhookEndpoint({ id }),
    () => it.polar.webhooks.updateWebhookEndpoint({ id, webhookEndpointUpdate: {} }),
    () => it.polar.webhooks.resetWebhookEndpointSecret({ id }),
    () => it.polar.webhooks.deleteWebhookEndpoint({ id }),
    () => it.polar.webhooks.redeliverWebhookEvent({ id: randomUUID() }),
  ]) await refused(call, errors.ResourceNotFound);
});

test("another organization and a missing scope", async () => {
  const { id } = await create();
  await refused(() => it.other.webhooks.getWebhookEndpoint({ id }), errors.ResourceNotFound);
  await refused(() => it.other.webhooks.deleteWebhookEndpoint({ id }), errors.ResourceNotFound);
  const reader = it.clientWith("webhooks:read");
  await refused(() => reader.webhooks.deleteWebhookEndpoint({ id }), 403);
  await refused(() => reader.webhooks.resetWebhookEndpointSecret({ id }), 403);
  await refused(() => reader.webhooks.redeliverWebhookEvent({ id: randomUUID() }), 403);
});

test("deliveries and redelivery", async () => {
  const endpoint = await create();
  const team = await it.team();
  const member = await it.polar.members.createMember({ customerId: team.id, email: address() });
  const list = async (question = {}) => (await it.polar.webhooks.listWebhookDeliveries(
    { endpointId: endpoint.id, limit: 100, ...question })).result.items;
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
  assert.equal(await it.polar.webhooks.redeliverWebhookEvent({ id: delivery.webhookEvent.id }), null);
  await eventually(async () => (await list()).length > before, 30, "a second delivery");
});

test("deliveries refuse a bad question", async () => {
  for (const question of [{ page: 0 }, { limit: 0 }, { endpointId: "nobody" }]) {
    await refused(() => it.polar.webhooks.listWebhookDeliveries(question), errors.HTTPValidationError);
  }
});
