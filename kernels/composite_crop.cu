// CUDA launch of composite_crop: blocks of one sample's pixels, of its output (forward) or its crop (backward), and
// one block a sample for the boxes. A block works out its sample's axes once. No atomics, so two runs agree bit by bit. A plate index outside [0, P) cannot be
// reported without a synchronisation: such a sample's results are NaN.
// Compiled by nvcc into the packaged image, by NVRTC at run time, and by g++ in the tests.
#include "composite_crop.h"

struct Arrays {
  const float *rgb, *mask, *from, *plates;
  const long long* plate_index;
  const float* to;
  int batch, s, count, height, width, size;
};

static __device__ __forceinline__ bool sample_of(const Arrays& a, int n, dpa::Sample& p) {
  const long long index = a.plate_index[n];
  p.rgb = a.rgb + (long long)n * 3 * a.s * a.s;
  p.mask = a.mask + (long long)n * a.s * a.s;
  p.from = a.from + 4 * n;
  p.to = a.to + 4 * n;
  p.s = a.s;
  p.height = a.height;
  p.width = a.width;
  p.size = a.size;
  const bool known = index >= 0 && index < a.count;
  p.plate = a.plates + (known ? index : 0) * 3 * a.height * a.width;
  return known;
}

#define DPA_INPUTS                                                                                      \
  const float *rgb, const float *mask, const float *from, const float *plates, const long long *plate_index, \
      const float *to, int batch, int s, int count, int height, int width, int size
#define DPA_ARRAYS \
  const Arrays a = {rgb, mask, from, plates, plate_index, to, batch, s, count, height, width, size}

// The sample's axes, for the whole block; four threads work them out.
static __device__ __forceinline__ void share_axes(const dpa::Sample& p, dpa::Affine shared[4]) {
  __syncthreads();  // nobody reads the last sample's any more
  if (threadIdx.x < 4) shared[threadIdx.x] = dpa::axis_of(p, threadIdx.x);
  __syncthreads();
}

#define DPA_AXES(shared) \
  const dpa::Axes axes = {shared[0], shared[1], shared[2], shared[3]}

extern "C" __global__ void composite_crop_forward(DPA_INPUTS, float* out) {
  __shared__ dpa::Affine shared[4];
  DPA_ARRAYS;
  const long long plane = (long long)size * size;
  const int parts = int((plane + blockDim.x - 1) / blockDim.x);  // blocks of a sample
  for (long long part = blockIdx.x; part < (long long)batch * parts; part += gridDim.x) {
    const int n = int(part / parts), pixel = int(part % parts) * blockDim.x + threadIdx.x;
    dpa::Sample p;
    const bool known = sample_of(a, n, p);
    share_axes(p, shared);
    if (pixel >= plane) continue;
    DPA_AXES(shared);
    float value[3];
    dpa::forward_pixel(p, axes, pixel / size, pixel % size, value);
    for (int c = 0; c < 3; ++c) out[(n * 3LL + c) * plane + pixel] = known ? value[c] : nanf("");
  }
}

// grad_rgb [B,3,s,s] and grad_mask [B,1,s,s]; either may be null.
extern "C" __global__ void composite_crop_backward_crop(DPA_INPUTS, const float* grad, float* grad_rgb,
                                                        float* grad_mask) {
  __shared__ dpa::Affine shared[4];
  DPA_ARRAYS;
  const long long plane = (long long)s * s;
  const int parts = int((plane + blockDim.x - 1) / blockDim.x);
  for (long long part = blockIdx.x; part < (long long)batch * parts; part += gridDim.x) {
    const int n = int(part / parts), pixel = int(part % parts) * blockDim.x + threadIdx.x;
    dpa::Sample p;
    const bool known = sample_of(a, n, p);
    share_axes(p, shared);
    if (pixel >= plane) continue;
    DPA_AXES(shared);
    float value[4];
    dpa::backward_crop_pixel(p, axes, grad + 3LL * n * size * size, pixel / s, pixel % s, value);
    for (int c = 0; c < 3 && grad_rgb; ++c)
      grad_rgb[(n * 3LL + c) * plane + pixel] = known ? value[c] : nanf("");
    if (grad_mask) grad_mask[n * plane + pixel] = known ? value[3] : nanf("");
  }
}

// grad_from and grad_to [B,4]; either may be null. One block a sample, at most 256 threads, a power of two.
extern "C" __global__ void composite_crop_backward_boxes(DPA_INPUTS, const float* grad, float* grad_from,
                                                         float* grad_to) {
  __shared__ float part[8][256];
  __shared__ dpa::Affine shared[4];
  DPA_ARRAYS;
  const int n = blockIdx.x, lane = threadIdx.x;
  dpa::Sample p;
  const bool known = sample_of(a, n, p);
  share_axes(p, shared);
  DPA_AXES(shared);
  float value[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
  for (int pixel = lane; pixel < size * size; pixel += blockDim.x)
    dpa::backward_boxes_pixel(p, axes, grad + 3LL * n * size * size, pixel / size, pixel % size, value);
  for (int k = 0; k < 8; ++k) part[k][lane] = value[k];
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (lane < half)
      for (int k = 0; k < 8; ++k) part[k][lane] += part[k][lane + half];
    __syncthreads();
  }
  if (lane == 0)
    for (int k = 0; k < 4; ++k) {
      if (grad_from) grad_from[4 * n + k] = known ? part[k][0] : nanf("");
      if (grad_to) grad_to[4 * n + k] = known ? part[k + 4][0] : nanf("");
    }
}
