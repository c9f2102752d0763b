"use strict";
// Shows the document of the dialect that the query names: `/v1` unless it is `?dialect=v2`.
const root = new URL("../../../", document.currentScript.src);
const wanted = new URLSearchParams(location.search).get("dialect");
const dialect = wanted === "v2" ? "v2" : "v1";

const dark = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
followScheme();
dark.addEventListener("change", followScheme);

document.querySelector(`nav a[href="?dialect=${dialect}"]`).setAttribute("aria-current", "page");
document.getElementById("reference").dataset.dialect = dialect;
SwaggerUIBundle({
  url: new URL(`${dialect}/openapi.json`, root).href,
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
