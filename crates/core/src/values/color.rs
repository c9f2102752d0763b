//! The colour of an organization, and the colours that pages derive from it, which are readable in both schemes.
//!
//! Contrast is that of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05) of the relative luminances, of which 4.5 is enough for text.

use std::fmt;

use super::InvalidValue;

/// The least contrast of a text.
pub const TEXT_CONTRAST: f64 = 4.5;
/// The least contrast of a button with its page.
pub const BUTTON_CONTRAST: f64 = 3.0;
/// The darkest background of a page in the light scheme on which the colour is a text.
const LIGHT_PAGE: Rgb = Rgb([0xec, 0xef, 0xf4]);
/// The lightest background of a page in the dark scheme on which the colour is a text.
const DARK_PAGE: Rgb = Rgb([0x2a, 0x2f, 0x3a]);
const WHITE: Rgb = Rgb([0xff; 3]);
const BLACK: Rgb = Rgb([0x00; 3]);
/// The steps in which a colour is mixed with white or black.
const STEPS: u32 = 64;

/// A colour of sRGB. It is shown as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb([u8; 3]);

impl Rgb {
    /// The relative luminance, 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126_f64.mul_add(red, 0.7152_f64.mul_add(green, 0.0722 * blue))
    }

    /// The contrast with another colour, 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// This colour with `part` of [`STEPS`] of another.
    fn mixed(self, other: Self, part: u32) -> Self {
        let mut mixed = self.0;
        for (channel, to) in mixed.iter_mut().zip(other.0) {
            let sum = u32::from(*channel) * (STEPS - part) + u32::from(to) * part;
            *channel = u8::try_from((sum + STEPS / 2) / STEPS).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    /// The colour nearest to this one, mixed with `towards`, that has a contrast with a background.
    fn visible(self, on: Self, towards: Self, contrast: f64) -> Self {
        let mut steps = (0..=STEPS).map(|part| self.mixed(towards, part));
        steps.find(|color| color.contrast(on) >= contrast).unwrap_or(towards)
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The colour of an organization: `#` and six hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrandColor {
    text: String,
    color: Rgb,
}

impl BrandColor {
    /// Parses a colour.
    ///
    /// # Errors
    /// When the text is not `#` and six hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || InvalidValue::value_error("a color is # and six hexadecimal digits, such as #1a73e8");
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or_else(wrong)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| wrong())?.to_be_bytes();
        let color = Rgb([red, green, blue]);
        Ok(Self { text: color.to_string(), color })
    }

    /// The colour as `#rrggbb`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The colours of a page in each scheme.
    #[must_use]
    pub fn scheme(&self) -> BrandScheme {
        BrandScheme { light: self.on(LIGHT_PAGE, BLACK), dark: self.on(DARK_PAGE, WHITE) }
    }

    fn on(&self, page: Rgb, towards: Rgb) -> Accent {
        let fill = self.color.visible(page, towards, BUTTON_CONTRAST);
        let on_fill = if fill.contrast(WHITE) >= TEXT_CONTRAST { WHITE } else { BLACK };
        Accent { fill, on_fill, ink: self.color.visible(page, towards, TEXT_CONTRAST) }
    }
}

text_value!(BrandColor, BrandColor::parse);

/// The colours that pages derive from the colour of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrandScheme {
    /// On light pages.
    pub light: Accent,
    /// On dark pages.
    pub dark: Accent,
}

/// The colours of one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    /// The background of a button: the colour itself, or the nearest one that differs from the page.
    pub fill: Rgb,
    /// A text on it: white where it is readable, otherwise black.
    pub on_fill: Rgb,
    /// The colour as a text on every background of the page: the nearest one that is readable.
    pub ink: Rgb,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_color_is_six_digits() {
        let color = BrandColor::parse("#1A73e8").unwrap();
        assert_eq!((color.as_str(), color.color), ("#1a73e8", Rgb([0x1a, 0x73, 0xe8])));
        for text in
            ["", "#", "1a73e8", "#1a73e", "#1a73e80", "#1a73eg", "#+a73e8", "#\u{e9}73e8", "red", "#1a7"]
        {
            assert_eq!(BrandColor::parse(text).unwrap_err().kind, "value_error", "{text}");
        }
        assert_eq!(serde_json::to_string(&color).unwrap(), "\"#1a73e8\"");
    }

    #[test]
    fn the_contrast_is_that_of_the_guidelines() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        assert!((Rgb([0x77; 3]).contrast(WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn a_readable_color_stays_as_it_is() {
        let scheme = BrandColor::parse("#00539c").unwrap().scheme();
        assert_eq!(scheme.light.ink, scheme.light.fill);
        assert_ne!(scheme.dark.ink, scheme.dark.fill);
    }

    proptest! {
        #[test]
        fn every_color_gives_readable_texts_in_both_schemes(digits in 0_u32..0x0100_0000) {
            let color = BrandColor::parse(&format!("#{digits:06x}")).unwrap();
            let BrandScheme { light, dark } = color.scheme();
            for (accent, page, other) in [(light, LIGHT_PAGE, WHITE), (dark, DARK_PAGE, BLACK)] {
                prop_assert!(accent.fill.contrast(page) >= BUTTON_CONTRAST, "{accent:?}");
                prop_assert!(accent.fill.contrast(accent.on_fill) >= TEXT_CONTRAST, "{accent:?}");
                prop_assert!(accent.ink.contrast(page) >= TEXT_CONTRAST, "{accent:?}");
                prop_assert!(accent.ink.contrast(other) >= TEXT_CONTRAST, "{accent:?}");
            }
        }
    }
}
