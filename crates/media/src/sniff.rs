//! What a file is, by its first bytes.

/// As far as it matters for what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Picture,
    /// Described to the model in words, with its media type.
    Document(&'static str),
    /// Something that a computer would run.
    Program,
    /// Nobody knows.
    Unknown,
}

pub fn sniff(bytes: &[u8]) -> Kind {
    match infer::get(bytes) {
        Some(found) if PICTURES.contains(&found.mime_type()) => Kind::Picture,
        Some(found) if found.matcher_type() == infer::MatcherType::App && !is_text(bytes) => Kind::Program,
        Some(found) => Kind::Document(found.mime_type()),
        None if is_text(bytes) => Kind::Document("text/plain"),
        None => Kind::Unknown,
    }
}

/// Those that we decode ourselves.
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/gif"];

fn is_text(bytes: &[u8]) -> bool {
    let readable = |text: &str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    !bytes.is_empty() && std::str::from_utf8(bytes).is_ok_and(readable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Kind::Picture);
        assert_eq!(sniff(&[0xff, 0xd8, 0xff, 0xe0]), Kind::Picture);
        assert_eq!(sniff(b"%PDF-1.7\n"), Kind::Document("application/pdf"));
        assert_eq!(sniff("häl\tlo\n".as_bytes()), Kind::Document("text/plain"));
        assert_eq!(sniff(b"MZ\x90\0"), Kind::Program);
        assert_ne!(sniff(b"MZ is my name"), Kind::Program);
        for unknown in [b"".as_slice(), b"a\0b", &[0xfe, 0xfe, 0xfe]] {
            assert_eq!(sniff(unknown), Kind::Unknown, "{unknown:?}");
        }
        // It runs scripts in a browser.
        assert_ne!(sniff(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Kind::Picture);
    }
}
