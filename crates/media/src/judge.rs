//! Files that are taken whatever they are: a picture becomes one of ours, others are kept as they came.

use bytes::Bytes;

use crate::{Kind, Picture, Refused, clean, sniff};

/// As it comes in. Telegram gives bots no larger ones.
pub const FILE_BYTES_MAX: usize = 20 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Picture(Picture),
    Other { bytes: Bytes, media_type: &'static str },
}

/// Takes as long as [`clean`] for a picture. What its sender called it does not matter: a picture that came as a
/// document is a picture, and a document that came as a picture is none.
pub fn judge(bytes: Bytes) -> Result<Content, Refused> {
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Refused::FileTooLarge);
    }
    match sniff(&bytes) {
        Kind::Picture => clean(&bytes).map(Content::Picture),
        Kind::Program => Err(Refused::Program),
        Kind::Document(media_type) => Ok(Content::Other { bytes, media_type }),
        Kind::Unknown => Ok(Content::Other { bytes, media_type: "application/octet-stream" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_what_a_file_is() {
        let judged = |bytes: &'static [u8]| judge(Bytes::from_static(bytes));
        let pdf = judged(b"%PDF-1.7\n").unwrap();
        assert!(matches!(pdf, Content::Other { media_type: "application/pdf", .. }), "{pdf:?}");
        let unknown = judged(&[0xfe, 0xfe, 0xfe]).unwrap();
        assert!(matches!(unknown, Content::Other { media_type: "application/octet-stream", .. }));
        assert_eq!(judged(b"\x89PNG\r\n\x1a\nrest"), Err(Refused::Damaged));
        assert_eq!(judged(b""), Err(Refused::Empty));
        for program in [b"MZ\x90\0\x03\0\0\0".as_slice(), b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(judged(program), Err(Refused::Program), "{program:?}");
        }
        assert_eq!(judge(vec![0; FILE_BYTES_MAX + 1].into()), Err(Refused::FileTooLarge));
    }
}
