//! Pictures, decoded within limits and written anew: no metadata with somebody's home in it, no second file behind the
//! first, nothing larger than a model looks at.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, imageops::FilterType};

use crate::{Kind, Refused, sniff};

/// As it comes in.
pub const PICTURE_BYTES_MAX: usize = 10 << 20;
/// More than any camera of today, and 160 MB once it is decoded.
pub(crate) const PIXELS_MAX: u64 = 40_000_000;
const SIDE_MAX: u32 = 16_384;
const MEMORY_MAX: u64 = 256 << 20;
/// Models scale down what is larger.
const SIDE_KEPT: u32 = 1568;
const QUALITY: u8 = 85;

/// A picture that we have written ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub bytes: Bytes,
    pub media_type: &'static str,
    pub width: u32,
    pub height: u32,
}

/// Takes some hundred milliseconds of a core for a large picture: not for a thread that serves requests. Of an animation
/// the first picture stays.
pub fn clean(bytes: &[u8]) -> Result<Picture, Refused> {
    if bytes.is_empty() {
        return Err(Refused::Empty);
    }
    if bytes.len() > PICTURE_BYTES_MAX {
        return Err(Refused::TooLarge);
    }
    if sniff(bytes) != Kind::Picture {
        return Err(Refused::NotAPicture);
    }
    let mut picture = decode(bytes)?;
    if picture.width().max(picture.height()) > SIDE_KEPT {
        picture = picture.resize(SIDE_KEPT, SIDE_KEPT, FilterType::Triangle);
    }
    encode(&picture)
}

/// What the file says of its size is judged before a byte of it is decoded.
fn decode(bytes: &[u8]) -> Result<DynamicImage, Refused> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Refused::Damaged)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| refused(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(Refused::TooManyPixels);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| refused(&error))?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn refused(error: &image::ImageError) -> Refused {
    match error {
        image::ImageError::Limits(_) => Refused::TooManyPixels,
        image::ImageError::Unsupported(_) => Refused::NotAPicture,
        _ => Refused::Damaged,
    }
}

fn encode(picture: &DynamicImage) -> Result<Picture, Refused> {
    let mut bytes = Vec::new();
    let media_type = if picture.color().has_alpha() {
        let picture = DynamicImage::ImageRgba8(picture.to_rgba8());
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(|_| Refused::Damaged)?;
        "image/png"
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        picture.to_rgb8().write_with_encoder(encoder).map_err(|_| Refused::Damaged)?;
        "image/jpeg"
    };
    Ok(Picture { bytes: bytes.into(), media_type, width: picture.width(), height: picture.height() })
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn plain(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_pixel(width, height, Rgb([200, 30, 30])).into()
    }

    /// A PNG whose header claims that size, with a checksum that is right.
    fn claiming(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = written(&plain(1, 1), ImageFormat::Png);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let checksum = bytes[12..29].iter().fold(u32::MAX, |mut crc, byte| {
            crc ^= u32::from(*byte);
            (0..8).for_each(|_| crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 });
            crc
        });
        bytes[29..33].copy_from_slice(&(!checksum).to_be_bytes());
        bytes
    }

    #[test]
    fn pictures_of_every_kind_are_written_anew() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP] {
            let mut original = written(&plain(40, 20), format);
            original.extend_from_slice(b"<script>alert(1)</script>");
            let picture = clean(&original).unwrap();
            assert_eq!((picture.width, picture.height), (40, 20), "{format:?}");
            assert!(!picture.bytes.windows(8).any(|part| part == b"<script>"), "{format:?}");
            assert_eq!(sniff(&picture.bytes), Kind::Picture);
        }
        let clear = DynamicImage::from(RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 4])));
        assert_eq!(clean(&written(&clear, ImageFormat::Png)).unwrap().media_type, "image/png");
    }

    #[test]
    fn a_large_picture_becomes_one_that_a_model_looks_at() {
        let picture = clean(&written(&plain(3000, 1500), ImageFormat::Png)).unwrap();
        assert_eq!((picture.width, picture.height), (1568, 784));
    }

    #[test]
    fn bombs_lies_and_damage_are_refused() {
        for (width, height) in [(60_000, 60_000), (16_000, 16_000), (20_000, 1), (u32::MAX, u32::MAX)] {
            let refused = clean(&claiming(width, height));
            assert!(
                matches!(refused, Err(Refused::TooManyPixels | Refused::Damaged)),
                "{width}x{height}: {refused:?}"
            );
        }
        assert_eq!(clean(&claiming(16_000, 16_000)), Err(Refused::TooManyPixels));
        let whole = written(&plain(64, 64), ImageFormat::Png);
        assert_eq!(clean(&whole[..whole.len() / 2]), Err(Refused::Damaged));
        assert_eq!(clean(b""), Err(Refused::Empty));
        assert_eq!(clean(&vec![0; PICTURE_BYTES_MAX + 1]), Err(Refused::TooLarge));
        for other in [b"%PDF-1.7\n".as_slice(), b"<svg/>", b"GIF", b"MZ\x90\0"] {
            assert_eq!(clean(other), Err(Refused::NotAPicture), "{other:?}");
        }
    }
}
