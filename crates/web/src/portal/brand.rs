//! The style sheet of a colour. Its address holds the colour, so that pages need no inline style and browsers keep it.

use tenantry_core::values::BrandColor;

/// The style sheet of a colour in six hexadecimal digits. It sets the colours of what has the class `brand`, in both
/// colour schemes.
pub(crate) fn style_sheet(digits: &str) -> Option<String> {
    let color = BrandColor::parse(&format!("#{digits}")).ok()?;
    let scheme = color.scheme();
    let (light, dark) = (scheme.light, scheme.dark);
    let hover = |fill: &str, on_fill: &str| {
        // Away from the text's colour, so that its contrast grows.
        let towards = if is_light(on_fill) { "black" } else { "white" };
        format!("color-mix(in oklab, {fill} 88%, {towards})")
    };
    let [light_hover, dark_hover] =
        [&light, &dark].map(|accent| hover(&accent.fill.to_string(), &accent.on_fill.to_string()));
    Some(format!(
        ".brand {{\n  --accent: light-dark({}, {});\n  --fill: light-dark({}, {});\n  \
         --fill-hover: light-dark({}, {});\n  --on-accent: light-dark({}, {});\n}}\n",
        light.ink, dark.ink, light.fill, dark.fill, light_hover, dark_hover, light.on_fill, dark.on_fill,
    ))
}

/// Whether a colour in the form `#rrggbb` is nearer to white than to black.
fn is_light(color: &str) -> bool {
    let part = |at: usize| color.get(at..at + 2).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    [1, 3, 5].into_iter().filter_map(part).sum::<u32>() > 3 * 128
}

/// The name of the file with the style sheet of a colour.
pub(crate) fn file(color: &BrandColor) -> String {
    format!("brand/{}.css", color.as_str().trim_start_matches('#'))
}
