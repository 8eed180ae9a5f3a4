//! Files that people send: judged by what is in them, made harmless, and kept for their tenant alone.
//!
//! What a file claims to be counts for nothing. A picture is decoded within limits and written anew, so that nothing of
//! the original's structure reaches a model or another person. Other files are kept by no more than their kind and name.

mod judge;
mod picture;
mod place;
mod sniff;

pub use judge::{Content, FILE_BYTES_MAX, judge};
pub use picture::{PICTURE_BYTES_MAX, Picture, clean};
pub use place::{Error, Place};
pub use sniff::{Kind, sniff};

/// Why a file is not taken. The text goes to whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the file is empty: send another one")]
    Empty,
    #[error("the picture has more than {} MB: send a smaller one", PICTURE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the file has more than {} MB: send a smaller one", FILE_BYTES_MAX >> 20)]
    FileTooLarge,
    #[error("the file is a program: programs are not taken")]
    Program,
    #[error("the file is no picture that can be shown here: send a JPEG, PNG, WebP or GIF")]
    NotAPicture,
    #[error("the picture has too many pixels: send one of at most {} megapixels", picture::PIXELS_MAX / 1_000_000)]
    TooManyPixels,
    #[error("the picture is damaged: save it again, or send another one")]
    Damaged,
}
