// The CPU back-end: one sample, streamed by rows of the frame. Every frame pixel that the crop reads is composed
// once (a pixel-by-pixel kernel composes it up to four times), and only one row of the composite exists at a time.
// Pixels are kept as (red, green, blue, mask) vectors of four, so gathering a tap is one load and the same code
// vectorises on every instruction set. Versions for AVX2 and AVX-512 were tried and were no faster.
#pragma once
#include "cpu_axis.h"

#define DPA_INLINE __attribute__((always_inline)) inline

namespace dpa {

struct Gradients {  // of one sample; null where not wanted
  float *rgb, *mask, *from, *to;
};

struct Workspace {
  Axis x, y;
  std::vector<vec4> image;      // [s, s] the decoded crop
  std::vector<vec4> stretched;  // [s] the crop at one row of the frame
  std::vector<vec4> point;      // [count] colour - plate, mask
  std::vector<vec4> frame;      // [count] the composite
  std::vector<float> mixed[2];  // [3, size] two rows of the composite at the crop's columns
  std::vector<vec4> image_grad, point_grad, row_grad, slope;
  std::vector<float> pulled, edge;

  // false where the crop reads nothing of the frame
  bool start(const Sample& p, bool backward) {
    x.build(p.from, p.to, 0, p.size, p.width, p.s, backward);
    y.build(p.from, p.to, 1, p.size, p.height, p.s, backward);
    if (x.count == 0 || y.count == 0) return false;
    const int plane = p.s * p.s;
    image.resize(plane), stretched.resize(p.s);
    for (int i = 0; i < plane; ++i) image[i] = vec4{p.rgb[i], p.rgb[plane + i], p.rgb[2 * plane + i], p.mask[i]};
    for (auto* v : {&point, &frame, &point_grad, &slope}) v->assign(x.count, vec4{});
    for (auto& m : mixed) m.resize(3 * p.size);
    row_grad.resize(p.size), pulled.resize(3 * p.size);
    image_grad.assign(backward ? plane : 0, vec4{});
    edge.assign(2 * p.size, 0.f);
    return true;
  }
};

// Row k of the composite, columns [begin, end); the person reaches [first, last).
DPA_INLINE void compose_row(const Sample& p, Workspace& w, int k, int begin, int end) {
  const CropTap& t = w.y.taps[k];
  const long long plane = (long long)p.height * p.width;
  const float* __restrict red = p.plate + (long long)w.y.pixel[k] * p.width;
  const float *__restrict green = red + plane, *__restrict blue = green + plane;
  const int* __restrict pixel = w.x.pixel.data();
  vec4 *__restrict point = w.point.data(), *__restrict frame = w.frame.data();
  const bool person = touches(t) && w.x.first < w.x.last;
  const int first = person ? std::max(w.x.first, begin) : end, last = person ? std::min(w.x.last, end) : end;
  for (int j = begin; j < first; ++j) frame[j] = vec4{red[pixel[j]], green[pixel[j]], blue[pixel[j]], 0.f};
  for (int j = last; j < end; ++j) frame[j] = vec4{red[pixel[j]], green[pixel[j]], blue[pixel[j]], 0.f};
  if (!person) return;
  vec4* __restrict stretched = w.stretched.data();
  const vec4 v0 = w.y.v0[k], v1 = w.y.v1[k];
  const vec4 *__restrict row0 = &w.image[size_t(t.i0) * p.s], *__restrict row1 = &w.image[size_t(t.i1) * p.s];
  for (int i = 0; i < p.s; ++i) stretched[i] = v0 * row0[i] + v1 * row1[i];
  const CropTap* __restrict taps = w.x.taps.data();
  const vec4 *__restrict x0 = w.x.v0.data(), *__restrict x1 = w.x.v1.data();
  for (int j = first; j < last; ++j) {
    const vec4 colour = x0[j] * stretched[taps[j].i0] + x1[j] * stretched[taps[j].i1];
    const vec4 back = vec4{red[pixel[j]], green[pixel[j]], blue[pixel[j]], 0.f};
    point[j] = colour - back;
    frame[j] = back + point[j] * colour[3];
  }
}

// The composed row at the crop's columns.
DPA_INLINE void mix_columns(const Workspace& w, int size, float* __restrict mixed) {
  const vec4* __restrict frame = w.frame.data();
  const int *__restrict k0 = w.x.k0.data(), *__restrict k1 = w.x.k1.data();
  const float *__restrict w0 = w.x.w0.data(), *__restrict w1 = w.x.w1.data();
  for (int o = 0; o < size; ++o) {
    const vec4 v = frame[k0[o]] * w0[o] + frame[k1[o]] * w1[o];
    mixed[o] = v[0], mixed[size + o] = v[1], mixed[2 * size + o] = v[2];
  }
}

// out: [3, size, size]
inline void forward_sample(const Sample& p, Workspace& w, float* __restrict out) {
  const int size = p.size, plane = size * size;
  if (!w.start(p, false)) {
    std::fill_n(out, 3 * plane, 0.f);
    return;
  }
  int held[2] = {-1, -1};  // the two taps of a sample are neighbours in the list: one even, one odd
  for (int step = 0; step < size; ++step) {
    const int o = w.y.scale_to < 0.f ? size - 1 - step : step;  // ascending through the frame
    const float w0 = w.y.w0[o], w1 = w.y.w1[o];
    const int k0 = w0 != 0.f ? w.y.k0[o] : w.y.k1[o], k1 = w1 != 0.f ? w.y.k1[o] : k0;
    for (int k : {k0, k1}) {
      if (held[k & 1] == k || (w0 == 0.f && w1 == 0.f)) continue;
      compose_row(p, w, k, 0, w.x.count);
      mix_columns(w, size, w.mixed[k & 1].data());
      held[k & 1] = k;
    }
    const float *__restrict a = w.mixed[k0 & 1].data(), *__restrict b = w.mixed[k1 & 1].data();
    for (int c = 0; c < 3; ++c) {
      float* __restrict row = out + c * plane + o * size;
      if (w0 == 0.f && w1 == 0.f) {
        std::fill_n(row, size, 0.f);
        continue;
      }
      for (int i = 0; i < size; ++i) row[i] = w0 * a[c * size + i] + w1 * b[c * size + i];
    }
  }
}

// The gradient of row k of the frame, pulled back to the crop's columns: pulled [3, size] planar and row_grad.
DPA_INLINE bool pull_rows(const Sample& p, Workspace& w, int k, const float* __restrict grad) {
  const int size = p.size, plane = size * size, depth = w.y.outputs.depth;
  float* __restrict pulled = w.pulled.data();
  std::fill_n(pulled, 3 * size, 0.f);
  bool any = false;
  for (int e = k * depth; e < (k + 1) * depth; ++e) {
    const float weight = w.y.outputs.weight[e];
    if (weight == 0.f) continue;
    any = true;
    for (int c = 0; c < 3; ++c) {
      const float* __restrict row = grad + c * plane + w.y.outputs.index[e] * size;
      for (int i = 0; i < size; ++i) pulled[c * size + i] += weight * row[i];
    }
  }
  vec4* __restrict row_grad = w.row_grad.data();
  for (int i = 0; i < size; ++i) row_grad[i] = vec4{pulled[i], pulled[size + i], pulled[2 * size + i], 0.f};
  return any;
}

// What row k adds to the gradient of box_to.
DPA_INLINE void box_to_row(const Sample& p, Workspace& w, int k, const float* __restrict grad, double to[4]) {
  const int size = p.size, plane = size * size;
  float *__restrict mixed = w.mixed[0].data(), *__restrict edge = w.edge.data();
  mix_columns(w, size, mixed);
  for (int o = 0; o < size; ++o) {  // outputs that have row k as a tap
    const float d = (w.y.k0[o] == k ? w.y.d0[o] : 0.f) + (w.y.k1[o] == k ? w.y.d1[o] : 0.f);
    if (d == 0.f) continue;
    float along = 0.f;
    for (int c = 0; c < 3; ++c) {
      const float* __restrict row = grad + c * plane + o * size;
#pragma omp simd reduction(+ : along)
      for (int i = 0; i < size; ++i) along += row[i] * mixed[c * size + i];
    }
    to[1] += double(d * along) * ((2.0 * o + 1.0) / size - 1.0);
    to[3] += double(d * along);
  }
  const vec4 *__restrict frame = w.frame.data(), *__restrict row_grad = w.row_grad.data();
  for (int o = 0; o < size; ++o) {
    const vec4 v = row_grad[o] * (frame[w.x.k0[o]] * w.x.d0[o] + frame[w.x.k1[o]] * w.x.d1[o]);
    edge[o] += v[0] + v[1] + v[2];
  }
}

// What row k adds to the gradients of the decoded crop and, where `box` is set, of box_from.
DPA_INLINE void crop_row(const Sample& p, Workspace& w, int k, bool box, double from[4]) {
  const CropTap& t = w.y.taps[k];
  const vec4 *__restrict row_grad = w.row_grad.data(), *__restrict point = w.point.data();
  vec4* __restrict point_grad = w.point_grad.data();
  const int depth = w.x.outputs.depth, *__restrict reads = w.x.outputs.index.data();
  const float* __restrict weight = w.x.outputs.weight.data();
  for (int j = w.x.first; j < w.x.last; ++j) {
    vec4 g = {};
    for (int e = j * depth; e < (j + 1) * depth; ++e) g += row_grad[reads[e]] * weight[e];
    const vec4 m = g * point[j];
    g *= point[j][3];
    g[3] = m[0] + m[1] + m[2];
    point_grad[j] = g;
  }
  if (box) {
    vec4* __restrict slope = w.slope.data();
    const vec4* __restrict stretched = w.stretched.data();
    for (int j = w.x.first; j < w.x.last; ++j)
      slope[j] += point_grad[j] * (w.x.dv0[j] * stretched[w.x.taps[j].i0] + w.x.dv1[j] * stretched[w.x.taps[j].i1]);
  }
  const vec4 v0 = w.y.v0[k], v1 = w.y.v1[k], dv0 = w.y.dv0[k], dv1 = w.y.dv1[k];
  vec4 *image0 = &w.image_grad[size_t(t.i0) * p.s], *image1 = &w.image_grad[size_t(t.i1) * p.s];  // may be one row
  const vec4 *__restrict row0 = &w.image[size_t(t.i0) * p.s], *__restrict row1 = &w.image[size_t(t.i1) * p.s];
  const int crop_depth = w.x.crop.depth, *__restrict crop_reads = w.x.crop.index.data();
  const vec4* __restrict crop_weight = w.x.crop.weight.data();
  vec4 steep = {};
  for (int i = 0; i < p.s; ++i) {
    vec4 g = {};
    for (int e = i * crop_depth; e < (i + 1) * crop_depth; ++e) g += point_grad[crop_reads[e]] * crop_weight[e];
    image0[i] += v0 * g;
    image1[i] += v1 * g;
    steep += g * (dv0 * row0[i] + dv1 * row1[i]);
  }
  if (!box) return;
  const double rate = -0.5 * p.s / p.from[1] * (double(steep[0]) + steep[1] + steep[2] + steep[3]);
  from[1] += rate * crop_coordinate(p.from[1], p.from[3], w.y.pixel[k], p.height);
  from[3] += rate;
}

inline void backward_sample(const Sample& p, Workspace& w, const float* __restrict grad,
                                       const Gradients& out) {
  const int plane = p.s * p.s, size = p.size;
  double from[4] = {0, 0, 0, 0}, to[4] = {0, 0, 0, 0};
  const bool inside = w.start(p, true), crop = out.rgb || out.mask || out.from;
  for (int k = 0; inside && k < w.y.count; ++k) {
    const bool reached = crop && touches(w.y.taps[k]) && w.x.first < w.x.last;
    if (!reached && !out.to) continue;
    const bool weighted = pull_rows(p, w, k, grad);
    if (!weighted && !out.to) continue;
    compose_row(p, w, k, out.to ? 0 : w.x.first, out.to ? w.x.count : w.x.last);
    if (out.to) box_to_row(p, w, k, grad, to);
    if (reached && weighted) crop_row(p, w, k, out.from != nullptr, from);
  }
  for (int i = 0; i < plane; ++i) {
    const vec4 g = inside ? w.image_grad[i] : vec4{};
    if (out.rgb) out.rgb[i] = g[0], out.rgb[plane + i] = g[1], out.rgb[2 * plane + i] = g[2];
    if (out.mask) out.mask[i] = g[3];
  }
  for (int j = w.x.first; inside && j < w.x.last; ++j) {
    const vec4 v = w.slope[j];
    const double rate = -0.5 * p.s / p.from[0] * (double(v[0]) + v[1] + v[2] + v[3]);
    from[0] += rate * crop_coordinate(p.from[0], p.from[2], w.x.pixel[j], p.width);
    from[2] += rate;
  }
  for (int o = 0; inside && o < size; ++o) {
    to[0] += double(w.edge[o]) * ((2.0 * o + 1.0) / size - 1.0);
    to[2] += double(w.edge[o]);
  }
  for (int i = 0; i < 4; ++i) {
    if (out.from) out.from[i] = float(from[i]);
    if (out.to) out.to[i] = float(to[i] * 0.5 * (i % 2 ? p.height : p.width));
  }
}

}  // namespace dpa
