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
// Swagger UI edits the items of an array by a component for their format, and warns where it has none.
const itemFormats = ["date-time", "email", "uri", "uuid", "uuid4"];
const withItemFormats = ({ React, getComponent }) => {
  const asText = (properties) => React.createElement(getComponent("JsonSchema_string"), properties);
  return { components: Object.fromEntries(itemFormats.map((format) => [`JsonSchema_string_${format}`, asText])) };
};
SwaggerUIBundle({
  plugins: [withItemFormats],
  url: new URL(`${dialect}/openapi.json`, root).href,
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
