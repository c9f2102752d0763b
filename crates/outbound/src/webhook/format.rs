//! Builds the body of a webhook request in each of the three formats.
//!
//! `raw` is the stored payload. Discord and Slack get a short notice with the keys, order and spacing that
//! Polar sends (docs/contracts/polar/webhooks.md, 9.3). The operator sets the image URLs; without them their
//! keys are absent, because both services reject empty ones.

use std::io;

use serde_json::ser::Formatter;
use serde_json::{Value, json};
use tenantry_core::webhook::WebhookFormat;

/// The sender's name in a notice.
const PRODUCT: &str = "Tenantry";
/// The colour of a Discord notice, as an RGB number.
const COLOUR: u32 = 25_343;

/// The content of a Discord or Slack notice.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The event type, for example `member.created`.
    pub event_type: &'a str,
    /// The id of the object that the event is about.
    pub object_id: &'a str,
    /// The name of the organization that owns the endpoint.
    pub organization_name: &'a str,
}

/// The image URLs of notices.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// A small square image beside the product's name.
    pub icon_url: Option<String>,
    /// An image in the corner of a Discord notice.
    pub thumbnail_url: Option<String>,
}

/// The body to sign and send.
#[must_use]
pub fn body(format: WebhookFormat, payload: &str, notice: &Notice<'_>, images: &Images) -> String {
    match format {
        WebhookFormat::Raw => payload.to_owned(),
        WebhookFormat::Discord => spaced(&discord(notice, images)),
        WebhookFormat::Slack => spaced(&slack(notice, images)),
    }
}

fn discord(notice: &Notice<'_>, images: &Images) -> Value {
    let author = match &images.icon_url {
        Some(url) => json!({ "name": PRODUCT, "icon_url": url }),
        None => json!({ "name": PRODUCT }),
    };
    let mut embed = serde_json::Map::new();
    embed.insert("color".into(), COLOUR.into());
    embed.insert("author".into(), author);
    if let Some(url) = &images.thumbnail_url {
        embed.insert("thumbnail".into(), json!({ "url": url }));
    }
    embed.insert("footer".into(), json!({ "text": powered_by() }));
    embed.insert("title".into(), notice.event_type.into());
    embed.insert("description".into(), notice.event_type.into());
    let fields = json!([
        { "name": "Object", "value": notice.object_id },
        { "name": "Organization", "value": notice.organization_name },
    ]);
    embed.insert("fields".into(), fields);
    json!({ "content": notice.event_type, "embeds": [embed] })
}

fn slack(notice: &Notice<'_>, images: &Images) -> Value {
    let image =
        images.icon_url.as_ref().map(|url| json!({ "type": "image", "image_url": url, "alt_text": PRODUCT }));
    let footer = json!({ "type": "mrkdwn", "text": powered_by() });
    let elements: Vec<Value> = image.into_iter().chain([footer]).collect();
    let name = literal(notice.organization_name);
    json!({
        "text": notice.event_type,
        "blocks": [
            {
                "type": "section",
                "text": { "type": "mrkdwn", "text": notice.event_type },
                "fields": [
                    { "type": "mrkdwn", "text": format!("*Object*\n{}", notice.object_id) },
                    { "type": "mrkdwn", "text": format!("*Organization*\n{name}") },
                ],
            },
            { "type": "context", "elements": elements },
        ],
    })
}

fn powered_by() -> String {
    format!("Powered by {PRODUCT}")
}

/// The text with Slack's control characters escaped, so that it contains no links or channel mentions.
fn literal(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON with a space after every comma and colon.
fn spaced(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
    let written = serde::Serialize::serialize(value, &mut serializer).is_ok();
    // Serializing into memory does not fail; if it did, other spacing is better than no body.
    String::from_utf8(bytes).ok().filter(|_| written).unwrap_or_else(|| value.to_string())
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTICE: Notice<'_> =
        Notice { event_type: "member.created", object_id: "0190a3c2", organization_name: "Zoë, \"Ltd\"" };

    fn images() -> Images {
        Images {
            icon_url: Some("https://x.dev/i.png".into()),
            thumbnail_url: Some("https://x.dev/t.png".into()),
        }
    }

    #[test]
    fn raw_is_the_stored_payload() {
        let payload = "{\"type\":\"member.created\" ,\"data\":{}}";
        assert_eq!(body(WebhookFormat::Raw, payload, &NOTICE, &images()), payload);
    }

    #[test]
    fn discord_has_every_key_in_order() {
        assert_eq!(
            body(WebhookFormat::Discord, "{}", &NOTICE, &images()),
            concat!(
                r#"{"content": "member.created", "embeds": [{"color": 25343, "#,
                r#""author": {"name": "Tenantry", "icon_url": "https://x.dev/i.png"}, "#,
                r#""thumbnail": {"url": "https://x.dev/t.png"}, "footer": {"text": "Powered by Tenantry"}, "#,
                r#""title": "member.created", "description": "member.created", "#,
                r#""fields": [{"name": "Object", "value": "0190a3c2"}, "#,
                r#"{"name": "Organization", "value": "Zoë, \"Ltd\""}]}]}"#,
            )
        );
    }

    #[test]
    fn slack_has_every_key_in_order() {
        assert_eq!(
            body(WebhookFormat::Slack, "{}", &NOTICE, &images()),
            concat!(
                r#"{"text": "member.created", "blocks": [{"type": "section", "#,
                r#""text": {"type": "mrkdwn", "text": "member.created"}, "#,
                r#""fields": [{"type": "mrkdwn", "text": "*Object*\n0190a3c2"}, "#,
                r#"{"type": "mrkdwn", "text": "*Organization*\nZoë, \"Ltd\""}]}, "#,
                r#"{"type": "context", "elements": [{"type": "image", "image_url": "https://x.dev/i.png", "#,
                r#""alt_text": "Tenantry"}, {"type": "mrkdwn", "text": "Powered by Tenantry"}]}]}"#,
            )
        );
    }

    #[test]
    fn without_images_their_keys_are_absent() {
        let discord = body(WebhookFormat::Discord, "{}", &NOTICE, &Images::default());
        assert!(discord.contains(r#""author": {"name": "Tenantry"}, "footer""#), "{discord}");
        let slack = body(WebhookFormat::Slack, "{}", &NOTICE, &Images::default());
        assert!(slack.contains(r#""elements": [{"type": "mrkdwn", "text": "Powered by"#), "{slack}");
    }

    #[test]
    fn a_name_cannot_mention_a_channel() {
        let notice = Notice { organization_name: "A&B <!channel>", ..NOTICE };
        let slack = body(WebhookFormat::Slack, "{}", &notice, &Images::default());
        assert!(slack.contains(r"*Organization*\nA&amp;B &lt;!channel&gt;"), "{slack}");
    }
}
