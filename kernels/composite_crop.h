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
// A position is kept to twice float's digits, as a whole and a part: in float a position near 200 carries an
// error of 1e-5 pixel, which a sharp edge would hand on to the result. The CPU computes positions in double, axis
// by axis (cpu_axis.h); a GPU, whose double may be slow, as a + b*k in pairs of floats whose coefficients are
// worked out in double once a block. Everything else is float.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define DPA_HD __host__ __device__ __forceinline__
#else
#include <cmath>
#define DPA_HD inline
#endif

// The double of this file; a test counts its operations by another type.
#ifndef DPA_DOUBLE
#define DPA_DOUBLE double
#endif

// No contraction into a fused multiply-add, which would spoil the error terms of a pair.
#if defined(__CUDA_ARCH__)
#define DPA_MUL(a, b) __fmul_rn(a, b)
#define DPA_ADD(a, b) __fadd_rn(a, b)
#else
#define DPA_MUL(a, b) ((a) * (b))
#define DPA_ADD(a, b) ((a) + (b))
#endif

namespace dpa {

typedef DPA_DOUBLE real;

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

// A position p in pixels: whole = floor(p), part = p - whole in [0, 1], rest = 1 - part. NaN where p is not finite.
struct Position {
  float whole, part, rest;
};

// p = a*k + b, each coefficient the sum of two floats.
struct Affine {
  float a, a_low, b, b_low;
};

DPA_HD bool is_finite(real p) { return p - p == real(0.0); }

DPA_HD Position place(real p) {
  if (!is_finite(p)) return {float(p - p), float(p - p), float(p - p)};
  const real f = floor(p), part = p - f;
  const real most = real(1e9);  // far outside any frame, and a float
  return {float(f < -most ? -most : (f > most ? most : f)), float(part), float(real(1.0) - part)};
}

DPA_HD Position place(const Affine& t, int k) {
  const float n = float(k), product = DPA_MUL(t.a, n), error = fmaf(t.a, n, -product);
  const float sum = DPA_ADD(product, t.b), b = DPA_ADD(sum, -product);
  const float lost = DPA_ADD(DPA_ADD(product, -DPA_ADD(sum, -b)), DPA_ADD(t.b, -b));
  const float low = DPA_ADD(DPA_ADD(lost, error), fmaf(t.a_low, n, t.b_low));
  const float high = DPA_ADD(sum, low), rest = DPA_ADD(low, -DPA_ADD(high, -sum));
  float whole = floorf(high), part = DPA_ADD(DPA_ADD(high, -whole), rest);
  if (part < 0.f) { whole -= 1.f; part += 1.f; }
  return {whole, part, 1.f - part};
}

DPA_HD Affine affine(real a, real b) {
  const float a_high = float(a), b_high = float(b);
  return {a_high, float(a - real(a_high)), b_high, float(b - real(b_high))};
}

// Position in frame pixels of sample o of a crop with `size` samples; affine in o.
DPA_HD real frame_position(float scale, float shift, int o, int size, int extent) {
  const real u = (real(2.0) * real(o) + real(1.0)) / real(size) - real(1.0);
  return ((real(scale) * u + real(shift) + real(1.0)) * real(extent) - real(1.0)) * real(0.5);
}

DPA_HD Affine frame_axis(float scale, float shift, int size, int extent) {
  return affine(real(scale) * real(extent) / real(size), frame_position(scale, shift, 0, size, extent));
}

// Crop coordinate in [-1, 1] of the centre of frame pixel `pixel`: the inverse box.
DPA_HD real crop_coordinate(float scale, float shift, int pixel, int extent) {
  return ((real(2.0) * real(pixel) + real(1.0)) / real(extent) - real(1.0) - real(shift)) / real(scale);
}

// The same in pixels of the crop (width s); affine in the pixel.
DPA_HD real crop_position(float scale, float shift, int pixel, int extent, int s) {
  return ((crop_coordinate(scale, shift, pixel, extent) + real(1.0)) * real(s) - real(1.0)) * real(0.5);
}

DPA_HD Affine crop_axis(float scale, float shift, int extent, int s) {
  return affine(real(s) / real(extent) / real(scale), crop_position(scale, shift, 0, extent, s));
}

DPA_HD Tap frame_tap(const Position& p, int n) {
  Tap t = {0, 0, 0.f, 0.f, 0.f, 0.f};
  if (p.whole - p.whole != 0.f) {  // a broken box makes a NaN pixel, as it does in grid_sample
    t.w0 = t.w1 = p.whole - p.whole;
  } else if (p.whole >= -1.f && p.whole < n) {
    const int i = int(p.whole);
    if (i >= 0) { t.i0 = i; t.w0 = 1.f - p.part; t.d0 = -1.f; }
    if (i + 1 < n) { t.i1 = i + 1; t.w1 = p.part; t.d1 = 1.f; }
  }
  return t;
}

DPA_HD CropTap crop_tap(const Position& p, int n) {
  CropTap t = {0, 0, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
  if (p.whole - p.whole != 0.f) {
    t.w0 = t.w1 = t.m0 = t.m1 = p.whole - p.whole;
    return t;
  }
  const float last = n - 1.f;
  const bool before = p.whole < 0.f, beyond = p.whole >= last;
  const int i = before ? 0 : (beyond ? n - 1 : int(p.whole));
  const float a = before || beyond ? 0.f : p.part;
  t.i0 = i;
  t.i1 = i + 1 < n ? i + 1 : i;
  t.w0 = 1.f - a;
  t.w1 = a;
  if (!before && !beyond) {
    t.m0 = t.w0; t.m1 = t.w1; t.md0 = -1.f; t.md1 = 1.f;
    if (p.whole > 0.f || p.part > 0.f) { t.d0 = -1.f; t.d1 = 1.f; }  // clamped colours do not move with the box
  } else if (beyond && p.whole == last) {  // fades out over one pixel beyond the last centre
    t.m0 = p.rest; t.md0 = -1.f;
  } else if (p.whole == -1.f && p.part > 0.f) {
    t.m0 = p.part; t.md0 = 1.f;
  }
  return t;
}

DPA_HD bool touches(const CropTap& t) { return t.m0 != 0.f || t.m1 != 0.f; }  // true for NaN

// Indices k in [0, n) whose position lies within a pixel of `target`, where the linear weight is not zero: who
// reads `target`. Wider by what float loses, and all of [0, n) where a bound is NaN: a weight of zero ends it.
struct Range {
  int first, last;  // inclusive; first > last: nobody
};
DPA_HD Range readers(const Affine& t, int target, int n) {
  const float slack = 1e-3f + 1e-6f * (fabsf(t.b) + target + 2.f) / fabsf(t.a);
  const float one = (target - 1 - t.b) / t.a, other = (target + 1 - t.b) / t.a;
  const float low = (one < other ? one : other) - slack, high = (one < other ? other : one) + slack;
  Range r;
  r.first = low > 0.f ? (low < n ? int(ceilf(low)) : n) : 0;
  r.last = high < n - 1 ? (high < 0.f ? -1 : int(high)) : n - 1;
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

// The four axes of a sample. Worked out in double, so once for many pixels.
struct Axes {
  Affine to_x, to_y, from_x, from_y;
};

// Axis k of Axes, in its order.
DPA_HD Affine axis_of(const Sample& p, int k) {
  const int y = k % 2, extent = y ? p.height : p.width;
  return k < 2 ? frame_axis(p.to[y], p.to[y + 2], p.size, extent) : crop_axis(p.from[y], p.from[y + 2], extent, p.s);
}

DPA_HD CropTap row_tap(const Sample& p, const Axes& a, int row) { return crop_tap(place(a.from_y, row), p.s); }

DPA_HD CropTap column_tap(const Sample& p, const Axes& a, int column) {
  return crop_tap(place(a.from_x, column), p.s);
}

// Crop coordinate in [-1, 1], in float: it only weighs a gradient.
DPA_HD float coordinate(const Affine& t, int pixel, int s) {
  const Position p = place(t, pixel);
  return (2.f * (p.whole + p.part) + 1.f) / s - 1.f;
}

// Output pixel (oy, ox), three channels.
DPA_HD void forward_pixel(const Sample& p, const Axes& a, int oy, int ox, float out[3]) {
  const Tap ty = frame_tap(place(a.to_y, oy), p.height), tx = frame_tap(place(a.to_x, ox), p.width);
  out[0] = out[1] = out[2] = 0.f;
  for (int j = 0; j < 2; ++j) {
    const float wy = j ? ty.w1 : ty.w0;
    if (wy == 0.f) continue;
    const int row = j ? ty.i1 : ty.i0;
    const CropTap cy = row_tap(p, a, row);
    for (int i = 0; i < 2; ++i) {
      const float w = wy * (i ? tx.w1 : tx.w0);
      if (w == 0.f) continue;
      const int column = i ? tx.i1 : tx.i0;
      const CropTap cx = column_tap(p, a, column);
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
DPA_HD void backward_crop_pixel(const Sample& p, const Axes& a, const float* grad, int iy, int ix, float out[4]) {
  const int plane = p.size * p.size;
  out[0] = out[1] = out[2] = out[3] = 0.f;
  const Range rows = readers(a.from_y, iy, p.height), columns = readers(a.from_x, ix, p.width);
  for (int row = rows.first; row <= rows.last; ++row) {
    const CropTap cy = row_tap(p, a, row);
    const float wy = (cy.i0 == iy ? cy.w0 : 0.f) + (cy.i1 == iy ? cy.w1 : 0.f);
    const float my = (cy.i0 == iy ? cy.m0 : 0.f) + (cy.i1 == iy ? cy.m1 : 0.f);
    if (!touches(cy) || (wy == 0.f && my == 0.f)) continue;
    const Range out_rows = readers(a.to_y, row, p.size);
    if (out_rows.first > out_rows.last) continue;  // the view passes over this row
    for (int column = columns.first; column <= columns.last; ++column) {
      const Range out_columns = readers(a.to_x, column, p.size);
      if (out_columns.first > out_columns.last) continue;
      const CropTap cx = column_tap(p, a, column);
      const float wx = (cx.i0 == ix ? cx.w0 : 0.f) + (cx.i1 == ix ? cx.w1 : 0.f);
      const float mx = (cx.i0 == ix ? cx.m0 : 0.f) + (cx.i1 == ix ? cx.m1 : 0.f);
      if (!touches(cx) || (wx == 0.f && mx == 0.f)) continue;
      float frame_grad[3] = {0.f, 0.f, 0.f};  // of frame pixel (row, column)
      for (int oy = out_rows.first; oy <= out_rows.last; ++oy) {
        const Tap ty = frame_tap(place(a.to_y, oy), p.height);
        const float vy = (ty.i0 == row ? ty.w0 : 0.f) + (ty.i1 == row ? ty.w1 : 0.f);
        if (vy == 0.f) continue;
        for (int ox = out_columns.first; ox <= out_columns.last; ++ox) {
          const Tap tx = frame_tap(place(a.to_x, ox), p.width);
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
DPA_HD void backward_boxes_pixel(const Sample& p, const Axes& a, const float* grad, int oy, int ox, float out[8]) {
  const int plane = p.size * p.size;
  const Tap ty = frame_tap(place(a.to_y, oy), p.height), tx = frame_tap(place(a.to_x, ox), p.width);
  float to_x = 0.f, to_y = 0.f;  // d(loss)/d(position in the frame)
  for (int j = 0; j < 2; ++j) {
    const float wy = j ? ty.w1 : ty.w0, dy = j ? ty.d1 : ty.d0;
    if (wy == 0.f && dy == 0.f) continue;
    const int row = j ? ty.i1 : ty.i0;
    const CropTap cy = row_tap(p, a, row);
    for (int i = 0; i < 2; ++i) {
      const float wx = i ? tx.w1 : tx.w0, dx = i ? tx.d1 : tx.d0;
      if (wx == 0.f && dx == 0.f) continue;
      const int column = i ? tx.i1 : tx.i0;
      const CropTap cx = column_tap(p, a, column);
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
      out[0] += w * from_x * rate_x * coordinate(a.from_x, column, p.s);
      out[1] += w * from_y * rate_y * coordinate(a.from_y, row, p.s);
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
