// The arithmetic of composite_crop, one source for nvcc, NVRTC and g++; it knows no framework.
//
//   out = crop(composite(rgb, mask, box_from, plates[plate_index]), box_to)        per sample
//
// Shapes (row-major, float32): rgb [B,3,s,s], mask [B,1,s,s], box_* [B,4] = (sx, sy, tx, ty), plates
// [P,3,H,W], plate_index [B] int64, out [B,3,size,size]. Boxes follow grid_sample with align_corners=False.
// The composite lives on the frame's own pixel grid, so an output pixel is a bilinear mix of at most four
// frame pixels (zero outside the frame), each evaluated at its centre through the inverse of box_from:
// the mask is zero outside its crop, the colours continue their border.
//
// Positions are computed in double: in float a position near 200 carries an error of 1e-5 pixel, which a
// sharp edge would hand on to the result. Everything else is float.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define DPA_HD __host__ __device__ __forceinline__
#else
#include <cmath>
#define DPA_HD inline
#endif

namespace dpa {

// One axis of one sample: value = w0*v[i0] + w1*v[i1], d(value)/d(position) = d0*v[i0] + d1*v[i1].
// Taps that fall outside have zero weights and a safe index.
struct Tap {
  int i0, i1;
  float w0, w1, d0, d1;
};

// Taps into the decoded crop: the same two indices serve colours (border) and mask (zero padding, m*).
struct CropTap {
  int i0, i1;
  float w0, w1, d0, d1, m0, m1, md0, md1;
};

DPA_HD bool is_finite(double p) { return p - p == 0.0; }

// Position in frame pixels of sample o of a crop with `size` samples; affine in o.
DPA_HD double frame_position(float scale, float shift, int o, int size, int extent) {
  const double u = (2.0 * o + 1.0) / size - 1.0;
  return ((scale * u + shift + 1.0) * extent - 1.0) * 0.5;
}

// Crop coordinate in [-1, 1] of the centre of frame pixel `pixel`: the inverse box.
DPA_HD double crop_coordinate(float scale, float shift, int pixel, int extent) {
  return ((2.0 * pixel + 1.0) / extent - 1.0 - shift) / scale;
}

// The same in pixels of the crop (width s).
DPA_HD double crop_position(float scale, float shift, int pixel, int extent, int s) {
  return ((crop_coordinate(scale, shift, pixel, extent) + 1.0) * s - 1.0) * 0.5;
}

DPA_HD Tap frame_tap(double p, int n) {
  Tap t = {0, 0, 0.f, 0.f, 0.f, 0.f};
  if (!is_finite(p)) {  // a broken box makes a NaN pixel, as it does in grid_sample
    t.w0 = t.w1 = float(p - p);
  } else if (p >= -1.0 && p < n) {
    const double f = floor(p);
    const int i = int(f);
    const float a = float(p - f);
    if (i >= 0) { t.i0 = i; t.w0 = 1.f - a; t.d0 = -1.f; }
    if (i + 1 < n) { t.i1 = i + 1; t.w1 = a; t.d1 = 1.f; }
  }
  return t;
}

DPA_HD CropTap crop_tap(double p, int n) {
  CropTap t = {0, 0, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
  if (!is_finite(p)) {
    t.w0 = t.w1 = t.m0 = t.m1 = float(p - p);
    return t;
  }
  const double last = n - 1.0, q = p < 0.0 ? 0.0 : (p > last ? last : p);
  const int i = int(q);
  const float a = float(q - i);
  t.i0 = i;
  t.i1 = i + 1 < n ? i + 1 : i;
  t.w0 = 1.f - a;
  t.w1 = a;
  if (p > 0.0 && p < last) { t.d0 = -1.f; t.d1 = 1.f; }  // clamped colours do not move with the box
  if (p >= 0.0 && p < last) {
    t.m0 = t.w0; t.m1 = t.w1; t.md0 = -1.f; t.md1 = 1.f;
  } else if (p >= last && p < n) {  // fades out over one pixel beyond the last centre
    t.m0 = float(n - p); t.md0 = -1.f;
  } else if (p < 0.0 && p > -1.0) {
    t.m0 = float(1.0 + p); t.md0 = 1.f;
  }
  return t;
}

DPA_HD bool touches(const CropTap& t) { return t.m0 != 0.f || t.m1 != 0.f; }  // true for NaN

// Indices k in [0, n) with |at0 + step*k - target| < 1, where the linear weight is not zero: who reads `target`
// when k is read at position at0 + step*k. A NaN or infinite bound makes it all of [0, n).
struct Range {
  int first, last;  // inclusive
};
DPA_HD Range readers(double at0, double step, int target, int n) {
  double low = (target - 1 - at0) / step, high = (target + 1 - at0) / step;
  if (low > high) { const double other = low; low = high; high = other; }
  Range r;
  r.first = low > 0.0 ? (low < n ? int(low) : n) : 0;
  r.last = high < n - 1 ? (high < 0.0 ? -1 : int(high)) : n - 1;
  return r;
}

// Everything of one sample.
struct Sample {
  const float *rgb, *mask, *from, *plate, *to;
  int s, height, width, size;
};

DPA_HD float bilinear(const float* plane, int stride, int y0, int y1, int x0, int x1, float a0, float a1, float b0,
                      float b1) {
  return a0 * (b0 * plane[y0 * stride + x0] + b1 * plane[y0 * stride + x1]) +
         a1 * (b0 * plane[y1 * stride + x0] + b1 * plane[y1 * stride + x1]);
}

DPA_HD float mask_at(const Sample& p, const CropTap& y, const CropTap& x) {
  return bilinear(p.mask, p.s, y.i0, y.i1, x.i0, x.i1, y.m0, y.m1, x.m0, x.m1);
}

DPA_HD float colour_at(const Sample& p, int c, const CropTap& y, const CropTap& x) {
  return bilinear(p.rgb + c * p.s * p.s, p.s, y.i0, y.i1, x.i0, x.i1, y.w0, y.w1, x.w0, x.w1);
}

DPA_HD float plate_at(const Sample& p, int c, int row, int column) {
  return p.plate[(long long)c * p.height * p.width + (long long)row * p.width + column];
}

DPA_HD CropTap row_tap(const Sample& p, int row) {
  return crop_tap(crop_position(p.from[1], p.from[3], row, p.height, p.s), p.s);
}

DPA_HD CropTap column_tap(const Sample& p, int column) {
  return crop_tap(crop_position(p.from[0], p.from[2], column, p.width, p.s), p.s);
}

// Output pixel (oy, ox), three channels.
DPA_HD void forward_pixel(const Sample& p, int oy, int ox, float out[3]) {
  const Tap ty = frame_tap(frame_position(p.to[1], p.to[3], oy, p.size, p.height), p.height);
  const Tap tx = frame_tap(frame_position(p.to[0], p.to[2], ox, p.size, p.width), p.width);
  out[0] = out[1] = out[2] = 0.f;
  for (int j = 0; j < 2; ++j) {
    const float wy = j ? ty.w1 : ty.w0;
    if (wy == 0.f) continue;
    const int row = j ? ty.i1 : ty.i0;
    const CropTap cy = row_tap(p, row);
    for (int i = 0; i < 2; ++i) {
      const float w = wy * (i ? tx.w1 : tx.w0);
      if (w == 0.f) continue;
      const int column = i ? tx.i1 : tx.i0;
      const CropTap cx = column_tap(p, column);
      const bool person = touches(cy) && touches(cx);
      const float alpha = person ? mask_at(p, cy, cx) : 0.f;
      for (int c = 0; c < 3; ++c) {
        const float plate = plate_at(p, c, row, column);
        out[c] += w * (person ? plate + alpha * (colour_at(p, c, cy, cx) - plate) : plate);
      }
    }
  }
}

// Gradients of crop pixel (iy, ix) with respect to its three colours [0..2] and its mask value [3], gathered:
// no two threads write one place, so the sum has one order. grad: [3, size, size].
DPA_HD void backward_crop_pixel(const Sample& p, const float* grad, int iy, int ix, float out[4]) {
  const int plane = p.size * p.size;
  out[0] = out[1] = out[2] = out[3] = 0.f;
  const double row0 = crop_position(p.from[1], p.from[3], 0, p.height, p.s);
  const double column0 = crop_position(p.from[0], p.from[2], 0, p.width, p.s);
  const double out_row0 = frame_position(p.to[1], p.to[3], 0, p.size, p.height);
  const double out_column0 = frame_position(p.to[0], p.to[2], 0, p.size, p.width);
  const double out_row_step = double(p.to[1]) * p.height / p.size;
  const double out_column_step = double(p.to[0]) * p.width / p.size;
  const Range rows = readers(row0, double(p.s) / p.height / p.from[1], iy, p.height);
  const Range columns = readers(column0, double(p.s) / p.width / p.from[0], ix, p.width);
  for (int row = rows.first; row <= rows.last; ++row) {
    const CropTap cy = row_tap(p, row);
    const float wy = (cy.i0 == iy ? cy.w0 : 0.f) + (cy.i1 == iy ? cy.w1 : 0.f);
    const float my = (cy.i0 == iy ? cy.m0 : 0.f) + (cy.i1 == iy ? cy.m1 : 0.f);
    if (!touches(cy) || (wy == 0.f && my == 0.f)) continue;
    const Range out_rows = readers(out_row0, out_row_step, row, p.size);
    for (int column = columns.first; column <= columns.last; ++column) {
      const CropTap cx = column_tap(p, column);
      const float wx = (cx.i0 == ix ? cx.w0 : 0.f) + (cx.i1 == ix ? cx.w1 : 0.f);
      const float mx = (cx.i0 == ix ? cx.m0 : 0.f) + (cx.i1 == ix ? cx.m1 : 0.f);
      if (!touches(cx) || (wx == 0.f && mx == 0.f)) continue;
      const Range out_columns = readers(out_column0, out_column_step, column, p.size);
      float frame_grad[3] = {0.f, 0.f, 0.f};  // of frame pixel (row, column)
      for (int oy = out_rows.first; oy <= out_rows.last; ++oy) {
        const Tap ty = frame_tap(out_row0 + out_row_step * oy, p.height);
        const float vy = (ty.i0 == row ? ty.w0 : 0.f) + (ty.i1 == row ? ty.w1 : 0.f);
        if (vy == 0.f) continue;
        for (int ox = out_columns.first; ox <= out_columns.last; ++ox) {
          const Tap tx = frame_tap(out_column0 + out_column_step * ox, p.width);
          const float v = vy * ((tx.i0 == column ? tx.w0 : 0.f) + (tx.i1 == column ? tx.w1 : 0.f));
          for (int c = 0; c < 3; ++c) frame_grad[c] += v * grad[c * plane + oy * p.size + ox];
        }
      }
      const float alpha = mask_at(p, cy, cx);
      for (int c = 0; c < 3; ++c) {
        out[c] += wy * wx * alpha * frame_grad[c];
        out[3] += my * mx * frame_grad[c] * (colour_at(p, c, cy, cx) - plate_at(p, c, row, column));
      }
    }
  }
}

// Adds what output pixel (oy, ox) contributes to the gradients of box_from (out[0..3]) and box_to (out[4..7]).
DPA_HD void backward_boxes_pixel(const Sample& p, const float* grad, int oy, int ox, float out[8]) {
  const int plane = p.size * p.size;
  const Tap ty = frame_tap(frame_position(p.to[1], p.to[3], oy, p.size, p.height), p.height);
  const Tap tx = frame_tap(frame_position(p.to[0], p.to[2], ox, p.size, p.width), p.width);
  float to_x = 0.f, to_y = 0.f;  // d(loss)/d(position in the frame)
  for (int j = 0; j < 2; ++j) {
    const float wy = j ? ty.w1 : ty.w0, dy = j ? ty.d1 : ty.d0;
    if (wy == 0.f && dy == 0.f) continue;
    const int row = j ? ty.i1 : ty.i0;
    const CropTap cy = row_tap(p, row);
    for (int i = 0; i < 2; ++i) {
      const float wx = i ? tx.w1 : tx.w0, dx = i ? tx.d1 : tx.d0;
      if (wx == 0.f && dx == 0.f) continue;
      const int column = i ? tx.i1 : tx.i0;
      const CropTap cx = column_tap(p, column);
      const bool person = touches(cy) && touches(cx);
      const float alpha = person ? mask_at(p, cy, cx) : 0.f;
      float along = 0.f;       // grad . composite
      float mask_grad = 0.f, from_x = 0.f, from_y = 0.f;
      for (int c = 0; c < 3; ++c) {
        const float g = grad[c * plane + oy * p.size + ox];
        const float plate = plate_at(p, c, row, column);
        if (!person) { along += g * plate; continue; }
        const float* rgb = p.rgb + c * p.s * p.s;
        const float difference = colour_at(p, c, cy, cx) - plate;
        along += g * (plate + alpha * difference);
        mask_grad += g * difference;
        from_x += g * alpha * bilinear(rgb, p.s, cy.i0, cy.i1, cx.i0, cx.i1, cy.w0, cy.w1, cx.d0, cx.d1);
        from_y += g * alpha * bilinear(rgb, p.s, cy.i0, cy.i1, cx.i0, cx.i1, cy.d0, cy.d1, cx.w0, cx.w1);
      }
      to_x += wy * dx * along;
      to_y += dy * wx * along;
      const float w = wy * wx;
      if (!person || w == 0.f) continue;
      from_x += mask_grad * bilinear(p.mask, p.s, cy.i0, cy.i1, cx.i0, cx.i1, cy.m0, cy.m1, cx.md0, cx.md1);
      from_y += mask_grad * bilinear(p.mask, p.s, cy.i0, cy.i1, cx.i0, cx.i1, cy.md0, cy.md1, cx.m0, cx.m1);
      const float rate_x = -0.5f * p.s / p.from[0], rate_y = -0.5f * p.s / p.from[1];  // d(position)/d(shift)
      out[0] += w * from_x * rate_x * float(crop_coordinate(p.from[0], p.from[2], column, p.width));
      out[1] += w * from_y * rate_y * float(crop_coordinate(p.from[1], p.from[3], row, p.height));
      out[2] += w * from_x * rate_x;
      out[3] += w * from_y * rate_y;
    }
  }
  out[4] += to_x * 0.5f * p.width * ((2.f * ox + 1.f) / p.size - 1.f);
  out[5] += to_y * 0.5f * p.height * ((2.f * oy + 1.f) / p.size - 1.f);
  out[6] += to_x * 0.5f * p.width;
  out[7] += to_y * 0.5f * p.height;
}

}  // namespace dpa
