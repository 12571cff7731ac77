//! From drawn pixels to a small PNG file.

use rustc_hash::FxHashMap;

use super::ChartError;

/// Encodes pixels (red, green and blue in a number) with a palette of at most 40 colours; fewer compress better, and
/// more are not seen: shades of smoothed edges are merged until they fit.
pub(super) fn png(pixels: &[u32], width: u32, height: u32) -> Result<Vec<u8>, ChartError> {
    let (palette, indices) = index(pixels);
    let mut file = Vec::with_capacity(24 * 1024);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    // Lines on a flat ground hardly get smaller with more effort, but take much longer.
    encoder.set_deflate_compression(png::DeflateCompression::Level(2));
    encoder.set_filter(png::Filter::NoFilter);
    let failed = |error: png::EncodingError| ChartError::Drawing(error.to_string());
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&indices).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

type Color = [u8; 3];

/// The palette and the place in it of each pixel.
fn index(pixels: &[u32]) -> (Vec<u8>, Vec<u8>) {
    // The colours are our own, so no key is chosen to collide.
    let mut known: FxHashMap<u32, usize> = FxHashMap::default();
    let mut colors: Vec<(u32, Color)> = Vec::new();
    // Long runs of one colour are the rule: look each up once.
    let runs: Vec<(usize, usize)> = pixels
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let place = *known.entry(run[0]).or_insert_with(|| {
                let [_, r, g, b] = run[0].to_be_bytes();
                colors.push((0, [r, g, b]));
                colors.len() - 1
            });
            colors[place].0 += run.len() as u32;
            (place, run.len())
        })
        .collect();
    let palette = palette(&colors);
    let places: Vec<u8> = colors.iter().map(|(_, color)| nearest(&palette, *color)).collect();
    let mut indices = Vec::with_capacity(pixels.len());
    for (place, length) in runs {
        indices.resize(indices.len() + length, places[place]);
    }
    (palette.concat(), indices)
}

/// The most used colours exactly, then one for each cell of an ever coarser grid of the others.
fn palette(counted: &[(u32, Color)]) -> Vec<Color> {
    const SIZE: usize = 40;
    let mut ranked = counted.to_vec();
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
    fn many_colours_become_a_palette_that_keeps_the_ground_exactly() {
        let mut pixels: Vec<u32> = (0..3000u32).map(|i| (i % 251) << 16 | (i / 7 % 241) << 8 | 90).collect();
        pixels.extend([0x00ff_ffff; 1000]);
        let (palette, indices) = index(&pixels);
        assert!(palette.len() <= 120);
        assert_eq!(indices.len(), 4000);
        let ground = usize::from(indices[3999]) * 3;
        assert_eq!(palette[ground..ground + 3], [255, 255, 255]);
    }
}
