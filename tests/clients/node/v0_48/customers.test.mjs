import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address, unique } from "../lib/server.mjs";
import { errors, expectError, testEnvironment } from "./environment.mjs";

const env = testEnvironment();

test("create an individual", async () => {
  const [email, externalId] = [address(), unique("ext")];
  const metadata = { plan: "free", seats: 3, share: 0.5, beta: true };
  const customer = await env.polar.customers.create({
    type: "individual", email, externalId, name: "Ada", metadata, locale: "en-us",
    billingAddress: { country: "US", state: "CA", line1: " 1 Road " } });
  assert.deepEqual([customer.type, customer.email, customer.name, customer.externalId],
    ["individual", email, "Ada", externalId]);
  assert.deepEqual(customer.metadata, metadata);
  assert.deepEqual([customer.locale, customer.organizationId], ["en-US", env.organization.id]);
  assert.deepEqual([customer.billingAddress.state, customer.billingAddress.line1], ["US-CA", "1 Road"]);
  const { owner } = await env.membersByRole(customer);
  assert.equal(owner.email, email);
});

test("create a team with another owner", async () => {
  const customer = await env.polar.customers.create({
    type: "team", name: "Team", owner: { email: address("owner"), name: "Olga", externalId: "olga" } });
  assert.equal(customer.type, "team");
  assert.equal((await env.membersByRole(customer)).owner.name, "Olga");
});

test("create refuses a team without an owner", () =>
  expectError(() => env.polar.customers.create({ type: "team", name: "Ownerless" }),
    errors.HTTPValidationError, "value_error body team"));

test("create refuses an email and an external id in use", async () => {
  const { email, externalId } = await env.createIndividual();
  await expectError(() => env.polar.customers.create({ type: "individual", email: email.toUpperCase(), externalId }),
    errors.HTTPValidationError, "value_error body email", "value_error body external_id");
});

test("get, by id and by external id", async () => {
  for (const customer of [await env.createIndividual(), await env.createTeam()]) {
    assert.deepEqual(await env.polar.customers.get({ id: customer.id }), customer);
    assert.deepEqual(await env.polar.customers.getExternal({ externalId: customer.externalId }), customer);
  }
});

test("list", async () => {
  const word = unique("listed");
  const created = [];
  for (let i = 0; i < 3; i++) {
    created.push(await env.polar.customers.create({ type: "individual", email: address(word), metadata: { list: word } }));
  }
  const pages = [];
  for await (const page of await env.polar.customers.list({ metadata: { list: word }, limit: 2 })) {
    assert.deepEqual(page.result.pagination, { totalCount: 3, maxPage: 2 });
    pages.push(page.result.items.map((customer) => customer.id));
  }
  assert.deepEqual(pages, [[created[2].id, created[1].id], [created[0].id]]);
  const sorted = await env.polar.customers.list({ query: word, sorting: ["created_at"] });
  assert.deepEqual(sorted.result.items.map((customer) => customer.id), created.map((customer) => customer.id));
});

test("list refuses an invalid page", () =>
  expectError(() => env.polar.customers.list({ limit: 0 }), errors.HTTPValidationError, "greater_than query limit"));

test("update", async () => {
  const customer = await env.createIndividual();
  const email = address("changed");
  const updated = await env.polar.customers.update(
    { id: customer.id, customerUpdate: { email, name: "New name", metadata: { a: "b" } } });
  assert.deepEqual([updated.email, updated.name, updated.metadata], [email, "New name", { a: "b" }]);
  const cleared = await env.polar.customers.updateExternal(
    { externalId: customer.externalId, customerUpdateExternalID: { name: null } });
  assert.deepEqual([cleared.id, cleared.name], [customer.id, null]);
});

test("update refuses an email in use and a new external id", async () => {
  const [customer, team] = [await env.createIndividual(), await env.createTeam()];
  await expectError(() => env.polar.customers.update(
    { id: customer.id, customerUpdate: { email: team.email, externalId: "another" } }),
    errors.HTTPValidationError, "value_error body email", "value_error body external_id");
  await expectError(() => env.polar.customers.updateExternal(
    { externalId: customer.externalId, customerUpdateExternalID: { email: team.email } }),
    errors.HTTPValidationError, "value_error body email");
});

test("delete, by id and by external id", async () => {
  const [customer, team] = [await env.createIndividual(), await env.createTeam()];
  assert.equal(await env.polar.customers.delete({ id: customer.id }), undefined);
  assert.equal(await env.polar.customers.deleteExternal({ externalId: team.externalId }), undefined);
  await expectError(() => env.polar.customers.get({ id: customer.id }), errors.ResourceNotFound);
  await expectError(() => env.polar.customers.delete({ id: customer.id }), errors.ResourceNotFound);
  await expectError(() => env.polar.customers.deleteExternal({ externalId: team.externalId }), errors.ResourceNotFound);
});

test("unknown customers and those of another organization are not found", async () => {
  const customer = await env.createIndividual();
  for (const [client, id, externalId] of [
    [env.polar, randomUUID(), "unknown"], [env.other, customer.id, customer.externalId]]) {
    for (const call of [
      () => client.customers.get({ id }),
      () => client.customers.update({ id, customerUpdate: {} }),
      () => client.customers.getExternal({ externalId }),
      () => client.customers.updateExternal({ externalId, customerUpdateExternalID: {} }),
      () => client.customers.deleteExternal({ externalId }),
    ]) {
      const error = await expectError(call, errors.ResourceNotFound);
      assert.equal(error.detail, "Not found");
    }
  }
});

test("a missing scope is forbidden", async () => {
  const customer = await env.createIndividual();
  const reader = env.clientWith("customers:read");
  assert.deepEqual(await reader.customers.get({ id: customer.id }), customer);
  await expectError(() => reader.customers.delete({ id: customer.id }), 403);
});
