//! From drawn pixels to a small PNG file.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::ChartError;

/// Averages each square of two by two RGB pixels to one.
pub(super) fn halve(pixels: &[u8], width: usize) -> Vec<u8> {
    let row = width * 2 * 3;
    let mut small = Vec::with_capacity(pixels.len() / 4);
    for band in pixels.chunks_exact(row * 2) {
        let (upper, lower) = band.split_at(row);
        for (above, below) in upper.as_chunks::<6>().0.iter().zip(lower.as_chunks::<6>().0) {
            small.extend::<[u8; 3]>(std::array::from_fn(|channel| {
                let sum = |two: &[u8; 6]| u16::from(two[channel]) + u16::from(two[channel + 3]);
                ((sum(above) + sum(below) + 2) / 4) as u8
            }));
        }
    }
    small
}

/// Encodes RGB pixels with a palette of at most 40 colours (fewer compress better, and more are not seen); shades of smoothed edges are merged until they fit.
pub(super) fn png(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ChartError> {
    let (palette, indices) = index(pixels);
    let mut file = Vec::with_capacity(24 * 1024);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    // Lines on a flat ground hardly get smaller with more effort, but take much longer.
    encoder.set_deflate_compression(png::DeflateCompression::Level(4));
    encoder.set_filter(png::Filter::NoFilter);
    let failed = |error: png::EncodingError| ChartError::Drawing(error.to_string());
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&indices).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

type Color = [u8; 3];

/// Counts and places of colours; they are our own, so no key is chosen to collide.
type ColorMap<T> = HashMap<Color, T, BuildHasherDefault<ColorHasher>>;

/// Multiplies the three bytes with a large odd number.
#[derive(Debug, Default)]
struct ColorHasher(u64);

impl Hasher for ColorHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let key = bytes.iter().fold(self.0, |key, byte| key << 8 | u64::from(*byte));
        self.0 = key.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

fn index(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let colors = || pixels.as_chunks::<3>().0.iter().copied();
    let mut counts: ColorMap<u32> = ColorMap::default();
    let mut last = None;
    let mut run = 0;
    // Long runs of one colour are the rule: count them before looking them up.
    for color in colors() {
        if last == Some(color) {
            run += 1;
            continue;
        }
        if let Some(last) = last.replace(color) {
            *counts.entry(last).or_default() += run;
        }
        run = 1;
    }
    if let Some(last) = last {
        *counts.entry(last).or_default() += run;
    }
    let palette = palette(&counts);
    let mut places: ColorMap<u8> = ColorMap::default();
    for color in counts.into_keys() {
        places.insert(color, nearest(&palette, color));
    }
    let mut known = None;
    let indices = colors().map(|color| match known {
        Some((last, place)) if last == color => place,
        _ => {
            let place = places.get(&color).copied().unwrap_or_default();
            known = Some((color, place));
            place
        }
    });
    let indices = indices.collect();
    (palette.concat(), indices)
}

/// The most used colours exactly, then one for each cell of an ever coarser grid of the others.
fn palette(counts: &ColorMap<u32>) -> Vec<Color> {
    const SIZE: usize = 40;
    let mut ranked: Vec<(u32, Color)> = counts.iter().map(|(color, count)| (*count, *color)).collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    if ranked.len() <= SIZE {
        return ranked.into_iter().map(|(_, color)| color).collect();
    }
    let (exact, rest) = ranked.split_at(16);
    let mut palette: Vec<Color> = exact.iter().map(|(_, color)| *color).collect();
    for shift in 3..=7 {
        let mut cells = std::collections::BTreeMap::new();
        for (_, color) in rest {
            cells.entry(color.map(|channel| channel >> shift)).or_insert(*color);
        }
        if cells.len() + palette.len() <= SIZE {
            palette.extend(cells.into_values());
            return palette;
        }
    }
    palette.extend(rest.iter().take(SIZE - palette.len()).map(|(_, color)| *color));
    palette
}

fn nearest(palette: &[Color], color: Color) -> u8 {
    let distance =
        |other: &Color| -> u32 { other.iter().zip(color).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    let nearest = palette.iter().enumerate().min_by_key(|(_, other)| distance(other));
    nearest.map_or(0, |(place, _)| u8::try_from(place).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_averages_and_keeps_flat_colours() {
        assert_eq!(halve(&[0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0], 1), [128, 128, 128]);
        assert_eq!(halve(&[7; 24], 2), [7; 6]);
    }

    #[test]
    fn many_colours_become_a_palette_that_keeps_the_ground_exactly() {
        let mut pixels: Vec<u8> = (0..3000u32).flat_map(|i| [(i % 251) as u8, (i / 7 % 241) as u8, 90]).collect();
        pixels.extend([255; 3000]);
        let (palette, indices) = index(&pixels);
        assert!(palette.len() <= 768);
        assert_eq!(indices.len(), 4000);
        let ground = usize::from(indices[3999]) * 3;
        assert_eq!(palette[ground..ground + 3], [255, 255, 255]);
    }
}
