// The tables of one axis of one sample for the CPU back-end. Boxes are axis-aligned, so everything that depends
// on x alone or on y alone is worked out once; the positions and weights are composite_crop.h's.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "composite_crop.h"

namespace dpa {

typedef float vec4 __attribute__((vector_size(16)));  // one pixel: red, green, blue, mask

inline vec4 pixel_weight(float colour, float mask) { return vec4{colour, colour, colour, mask}; }

// A sparse matrix whose rows are padded to one depth by weightless repeats: its loops have a fixed length.
template <class Weight>
struct Gather {
  int depth = 0;
  std::vector<int> index;
  std::vector<Weight> weight;

  // rows[e] reads columns[e] with weights[e]
  void build(int row_count, const std::vector<int>& rows, const std::vector<int>& columns,
             const std::vector<Weight>& weights) {
    used.assign(row_count, 0);
    for (int row : rows) ++used[row];
    depth = row_count ? *std::max_element(used.begin(), used.end()) : 0;
    index.assign(size_t(row_count) * depth, 0);
    weight.assign(size_t(row_count) * depth, Weight{});
    std::fill(used.begin(), used.end(), 0);
    for (size_t e = 0; e < rows.size(); ++e) {
      const size_t base = size_t(rows[e]) * depth;
      if (used[rows[e]] == 0) std::fill_n(index.begin() + base, depth, columns[e]);
      index[base + used[rows[e]]] = columns[e];
      weight[base + used[rows[e]]++] = weights[e];
    }
  }

 private:
  std::vector<int> used;
};

struct Axis {
  float scale_to, shift_to, scale_from, shift_from;
  int size, extent, s;
  int count = 0;            // frame pixels that some output sample reads, ascending
  std::vector<int> pixel;   // [count] which ones
  std::vector<int> k0, k1;  // [size] their places for each output sample
  std::vector<float> w0, w1, d0, d1;
  int first = 0, last = 0;     // those that the mask reaches: [first, last)
  std::vector<CropTap> taps;   // [count]
  std::vector<vec4> v0, v1, dv0, dv1;  // [count] the taps' weights and derivatives for a whole pixel
  Gather<float> outputs;       // [count] ← output samples (the transposed crop)
  Gather<vec4> crop;           // [s] ← frame pixels (the transposed un-warp)

  void build(const float* from, const float* to, int axis, int size_, int extent_, int s_, bool backward) {
    scale_to = to[axis], shift_to = to[axis + 2], scale_from = from[axis], shift_from = from[axis + 2];
    size = size_, extent = extent_, s = s_;
    read_outputs();
    read_crop();
    if (backward) transpose();
  }

 private:
  std::vector<int> rows, columns;
  std::vector<float> weights;
  std::vector<vec4> crop_weights;

  int place(int i) {  // positions come in ascending order: i is new or one of the last two
    if (count && pixel[count - 1] == i) return count - 1;
    if (count > 1 && pixel[count - 2] == i) return count - 2;
    pixel.push_back(i);
    return count++;
  }

  void read_outputs() {
    count = 0;
    pixel.clear();
    for (auto* v : {&k0, &k1}) v->assign(size, 0);
    for (auto* v : {&w0, &w1, &d0, &d1}) v->assign(size, 0.f);
    for (int step = 0; step < size; ++step) {
      const int o = scale_to < 0.f ? size - 1 - step : step;
      const Tap t = frame_tap(dpa::place(frame_position(scale_to, shift_to, o, size, extent)), extent);
      w0[o] = t.w0, w1[o] = t.w1, d0[o] = t.d0, d1[o] = t.d1;
      if (t.w0 != 0.f || t.d0 != 0.f) k0[o] = place(t.i0);
      if (t.w1 != 0.f || t.d1 != 0.f) k1[o] = place(t.i1);
    }
  }

  void read_crop() {
    taps.resize(count);
    for (auto* v : {&v0, &v1, &dv0, &dv1}) v->resize(count);
    first = count, last = 0;
    for (int k = 0; k < count; ++k) {
      const CropTap t = taps[k] = crop_tap(dpa::place(crop_position(scale_from, shift_from, pixel[k], extent, s)), s);
      v0[k] = pixel_weight(t.w0, t.m0), v1[k] = pixel_weight(t.w1, t.m1);
      dv0[k] = pixel_weight(t.d0, t.md0), dv1[k] = pixel_weight(t.d1, t.md1);
      if (touches(t)) first = std::min(first, k), last = k + 1;
    }
    first = std::min(first, last);
  }

  void transpose() {
    rows.clear(), columns.clear(), weights.clear();
    for (int o = 0; o < size; ++o) {
      if (w0[o] != 0.f) rows.push_back(k0[o]), columns.push_back(o), weights.push_back(w0[o]);
      if (w1[o] != 0.f) rows.push_back(k1[o]), columns.push_back(o), weights.push_back(w1[o]);
    }
    outputs.build(count, rows, columns, weights);
    rows.clear(), columns.clear(), crop_weights.clear();
    for (int k = first; k < last; ++k) {
      const CropTap& t = taps[k];
      rows.push_back(t.i0), columns.push_back(k), crop_weights.push_back(v0[k]);
      if (t.i1 != t.i0) rows.push_back(t.i1), columns.push_back(k), crop_weights.push_back(v1[k]);
    }
    crop.build(s, rows, columns, crop_weights);
  }
};

}  // namespace dpa
