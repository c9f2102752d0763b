// Passkeys. A form with data-passkey asks the server for options, the browser for a passkey, and sends the answer as one of
// its fields. Without script the page says what to do instead.
"use strict";

{
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replaceAll("=", "");

  // The options of the server as the browser takes them.
  const readable = ({ publicKey }) => {
    publicKey.challenge = bytes(publicKey.challenge);
    if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
    for (const list of [publicKey.excludeCredentials, publicKey.allowCredentials]) {
      for (const known of list ?? []) known.id = bytes(known.id);
    }
    return { publicKey };
  };

  // The answer of the browser as the server takes it.
  const written = (credential) => {
    const { response } = credential;
    const answer = { clientDataJSON: text(response.clientDataJSON) };
    for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[part]) answer[part] = text(response[part]);
    }
    if (response.getTransports) answer.transports = response.getTransports();
    const { id, type } = credential;
    return JSON.stringify({ id, rawId: text(credential.rawId), type, response: answer, extensions: {} });
  };

  const ask = async (form) => {
    const reply = await fetch(form.dataset.options, { method: "POST", redirect: "manual" });
    // The session has ended.
    if (reply.type === "opaqueredirect") return location.reload();
    const said = await reply.text();
    if (reply.status === 403 && said.startsWith("/console/")) return location.assign(said);
    if (!reply.ok) throw new Error(said);
    const options = JSON.parse(said);
    const use = form.dataset.passkey === "create" ? "create" : "get";
    form.elements.answer.value = written(await navigator.credentials[use](readable(options)));
    form.submit();
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const says = form.querySelector("[data-says]");
    const button = form.querySelector("button");
    if (!window.PublicKeyCredential) {
      button.disabled = true;
      says.textContent = says.dataset.unavailable;
      says.hidden = false;
      continue;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      says.hidden = true;
      try {
        await ask(form);
      } catch (error) {
        says.textContent = error instanceof DOMException || !error.message ? says.dataset.canceled : error.message;
        says.hidden = false;
      } finally {
        button.disabled = false;
      }
    });
  }
}
