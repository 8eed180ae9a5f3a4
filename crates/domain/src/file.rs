//! Files, as far as people and employees talk about them.

/// What a file is, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Picture,
    Recording,
    Video,
    Other,
}

impl FileKind {
    pub fn of(media_type: Option<&str>) -> Self {
        let family = media_type.and_then(|media_type| media_type.split('/').next()).unwrap_or_default();
        match family.to_ascii_lowercase().as_str() {
            "image" => Self::Picture,
            "audio" => Self::Recording,
            "video" => Self::Video,
            _ => Self::Other,
        }
    }

    /// In the middle of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Picture => "a picture",
            Self::Recording => "a recording",
            Self::Video => "a video",
            Self::Other => "a file",
        }
    }
}
