// Webhook endpoints. Deliveries go to a name that never exists, so each attempt fails.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { Webhook } from "standardwebhooks";

import { address, eventually } from "../lib/server.mjs";
import { refused, world } from "./world.mjs";

const NOWHERE = "https://hooks.invalid/in";

world((it, version) => {
  const { errors } = it;
  const hooks = () => it.polar.webhooks;
  const create = (fields = {}) => hooks().createWebhookEndpoint(
    { url: NOWHERE, format: "raw", events: ["member.created"], ...fields });

  test(`${version}: create, get and list`, async () => {
    const made = await create({ name: "Hook" });
    assert.deepEqual([made.url, made.format, made.name, made.events, made.enabled, made.organization_id],
      [NOWHERE, "raw", "Hook", ["member.created"], true, it.organization.id]);
    // Both are required by the SDK's type.
    assert.equal(typeof made.api_version, "string");
    assert.equal(typeof made.uses_standard_webhook_signature, "boolean");
    const found = await hooks().getWebhookEndpoint(made.id);
    assert.deepEqual([found.id, found.url], [made.id, made.url]);
    assert.equal((await hooks().listWebhookEndpoints({ limit: 1 })).items[0].id, made.id);
    const seen = [];
    for await (const one of hooks().iterListWebhookEndpoints({ limit: 1 })) seen.push(one.id);
    assert.ok(seen.includes(made.id));
    assert.deepEqual((await hooks().listWebhookEndpoints({ organization_id: it.otherOrganization.id })).items, []);
  });

  test(`${version}: create and list refuse`, async () => {
    for (const url of ["http://example.com/", "https://localhost/", "https://10.0.0.1/", "https://[::1]/"]) {
      const { error } = await refused(() => create({ url }), errors.HTTPValidationError);
      assert.deepEqual(error.detail.map((item) => item.loc.slice(0, 2)), [["body", "url"]]);
    }
    await refused(() => create({ format: "xml" }), errors.HTTPValidationError, "enum body format");
    await refused(() => create({ events: ["nothing"] }), errors.HTTPValidationError, "enum body events 0");
    await refused(() => hooks().listWebhookEndpoints({ page: 0 }),
      errors.HTTPValidationError, "greater_than query page");
  });

  test(`${version}: update`, async () => {
    const { id } = await create();
    const changes = { url: "https://hooks.invalid/other", name: "Renamed", format: "slack",
      events: ["customer.created"], enabled: false };
    const updated = await hooks().updateWebhookEndpoint(id, changes);
    for (const [name, value] of Object.entries(changes)) assert.deepEqual(updated[name], value);
    const { error } = await refused(() => hooks().updateWebhookEndpoint(id, { url: "http://example.com/" }),
      errors.HTTPValidationError);
    assert.deepEqual(error.detail[0].loc.slice(0, 2), ["body", "url"]);
  });

  test(`${version}: the secret is reset and fits stock verifiers`, async () => {
    const endpoint = await create();
    const { id, secret } = await hooks().resetWebhookEndpointSecret(endpoint.id);
    assert.equal(id, endpoint.id);
    assert.notEqual(secret, endpoint.secret);
    const now = new Date();
    const { owner: data } = await it.members(await it.team());
    const body = JSON.stringify({ type: "member.created", timestamp: now.toISOString(), data });
    const headers = { "webhook-id": "evt", "webhook-timestamp": String(Math.floor(now / 1000)),
      "webhook-signature": new Webhook(secret).sign("evt", now, body) };
    assert.ok(new Webhook(secret).verify(body, headers));
    assert.deepEqual((await it.webhooks.validateEvent(body, headers, secret)).data, data);
    await assert.rejects(it.webhooks.validateEvent(body, headers, endpoint.secret),
      it.webhooks.PolarWebhookVerificationError);
  });

  test(`${version}: delete`, async () => {
    const { id } = await create();
    assert.equal(await hooks().deleteWebhookEndpoint(id), undefined);
    for (const call of [
      () => hooks().getWebhookEndpoint(id), () => hooks().updateWebhookEndpoint(id, {}),
      () => hooks().resetWebhookEndpointSecret(id), () => hooks().deleteWebhookEndpoint(id),
      () => hooks().redeliverWebhookEvent(randomUUID())]) await refused(call, errors.ResourceNotFound);
  });

  test(`${version}: another organization and a missing scope`, async () => {
    const { id } = await create();
    await refused(() => it.other.webhooks.getWebhookEndpoint(id), errors.ResourceNotFound);
    await refused(() => it.other.webhooks.deleteWebhookEndpoint(id), errors.ResourceNotFound);
    const reader = it.clientWith("webhooks:read").webhooks;
    await refused(() => reader.deleteWebhookEndpoint(id), 403);
    await refused(() => reader.resetWebhookEndpointSecret(id), 403);
    await refused(() => reader.redeliverWebhookEvent(randomUUID()), 403);
  });

  test(`${version}: deliveries and redelivery`, async () => {
    const endpoint = await create();
    const team = await it.team();
    const member = await it.polar.customers.members.create(team.id, { email: address() });
    const list = async (question = {}) => (await hooks().listWebhookDeliveries(
      { endpoint_id: endpoint.id, limit: 100, ...question })).items;
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

  test(`${version}: deliveries refuse a bad question`, async () => {
    for (const question of [{ page: 0 }, { http_code_class: "6xx" }, { endpoint_id: "nobody" }]) {
      await refused(() => hooks().listWebhookDeliveries(question), errors.HTTPValidationError);
    }
  });
});
