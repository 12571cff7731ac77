//! Style sheet, scripts, icons and manifest, to be served at `/assets/{name}`.

use std::sync::LazyLock;

/// A file of the pages.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The file.
    pub bytes: &'static [u8],
    /// Media type.
    pub content_type: &'static str,
    /// Strong entity tag, with its quotes.
    pub etag: &'static str,
    /// Whether the name holds the content's hash, so that it may be cached for ever.
    pub immutable: bool,
}

struct File {
    stem: &'static str,
    extension: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const FILES: [File; 9] = [
    File {
        stem: "bakau",
        extension: "css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/bakau.css"),
    },
    File {
        stem: "bakau",
        extension: "js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/bakau.js"),
    },
    File {
        stem: "overview",
        extension: "js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/overview.js"),
    },
    // idiomorph 0.8.0, licence in idiomorph-LICENSE.txt: https://github.com/bigskysoftware/idiomorph
    File {
        stem: "idiomorph.min",
        extension: "js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/idiomorph.min.js"),
    },
    File {
        stem: "alarm",
        extension: "js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/alarm.js"),
    },
    svg("icon", include_bytes!("../assets/icon.svg")),
    svg("icon-siaga", include_bytes!("../assets/icon-siaga.svg")),
    svg("icon-awas", include_bytes!("../assets/icon-awas.svg")),
    // Names the icon without its hash: a manifest is read long after the page.
    File {
        stem: "manifest",
        extension: "webmanifest",
        content_type: "application/manifest+json",
        bytes: include_bytes!("../assets/manifest.webmanifest"),
    },
];

const fn svg(stem: &'static str, bytes: &'static [u8]) -> File {
    File { stem, extension: "svg", content_type: "image/svg+xml", bytes }
}

struct Named {
    plain: String,
    hashed: String,
    etag: String,
}

static NAMES: LazyLock<[Named; 9]> = LazyLock::new(|| {
    FILES.each_ref().map(|File { stem, extension, bytes, .. }| {
        let hash = fnv1a(bytes);
        Named {
            plain: format!("{stem}.{extension}"),
            hashed: format!("{stem}-{hash:016x}.{extension}"),
            etag: format!("\"{hash:016x}\""),
        }
    })
});

/// The asset of a name: `bakau.css`, or with its hash `bakau-0123456789abcdef.css` as pages link it.
#[must_use]
pub fn get(name: &str) -> Option<Asset> {
    let mut known = FILES.iter().zip(NAMES.iter());
    let (file, names) = known.find(|(_, names)| names.plain == name || names.hashed == name)?;
    let immutable = names.hashed == name;
    Some(Asset { bytes: file.bytes, content_type: file.content_type, etag: &names.etag, immutable })
}

/// Path of an asset as pages link it, with its hash; the plain path where there is no such asset.
pub(crate) fn path(name: &str) -> String {
    let hashed = NAMES.iter().find(|names| names.plain == name).map(|names| names.hashed.as_str());
    format!("/assets/{}", hashed.unwrap_or(name))
}

/// FNV-1a, 64 bits: tells versions of our own files apart, no more.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linked_asset_is_served_for_ever_and_its_plain_name_is_not() {
        for name in FILES.map(|file| format!("{}.{}", file.stem, file.extension)) {
            let name = name.as_str();
            let linked = path(name);
            let asset = get(linked.strip_prefix("/assets/").unwrap()).unwrap();
            assert!(asset.immutable && !asset.bytes.is_empty());
            assert!(!get(name).unwrap().immutable);
        }
        assert!(get("../Cargo.toml").is_none());
    }

    #[test]
    fn the_script_stays_small_and_nothing_asks_another_host() {
        for (name, most) in [("bakau.js", 12 << 10), ("alarm.js", 4 << 10), ("overview.js", 8 << 10)] {
            let script = get(name).unwrap().bytes;
            assert!(script.len() < most, "{name}: {}", script.len());
        }
        for name in ["bakau.css", "bakau.js", "alarm.js", "overview.js", "manifest.webmanifest"] {
            let text = std::str::from_utf8(get(name).unwrap().bytes).unwrap();
            assert!(!text.contains("http:") && !text.contains("https:") && !text.contains("//"), "{name}");
        }
    }
}
