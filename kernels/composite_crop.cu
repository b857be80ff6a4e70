// CUDA launch of composite_crop: grid-stride over output pixels (forward) and crop pixels (backward), one block
// a sample for the boxes. No atomics, so two runs agree bit by bit. A plate index outside [0, P) cannot be
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

extern "C" __global__ void composite_crop_forward(DPA_INPUTS, float* out) {
  DPA_ARRAYS;
  const long long plane = (long long)size * size, total = batch * plane;
  const long long stride = (long long)gridDim.x * blockDim.x;
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < total; i += stride) {
    const int n = int(i / plane), pixel = int(i % plane);
    dpa::Sample p;
    const bool known = sample_of(a, n, p);
    float value[3];
    dpa::forward_pixel(p, pixel / size, pixel % size, value);
    for (int c = 0; c < 3; ++c) out[(n * 3LL + c) * plane + pixel] = known ? value[c] : nanf("");
  }
}

// grad_rgb [B,3,s,s] and grad_mask [B,1,s,s]; either may be null.
extern "C" __global__ void composite_crop_backward_crop(DPA_INPUTS, const float* grad, float* grad_rgb,
                                                        float* grad_mask) {
  DPA_ARRAYS;
  const long long plane = (long long)s * s, total = batch * plane;
  const long long stride = (long long)gridDim.x * blockDim.x;
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < total; i += stride) {
    const int n = int(i / plane), pixel = int(i % plane);
    dpa::Sample p;
    const bool known = sample_of(a, n, p);
    float value[4];
    dpa::backward_crop_pixel(p, grad + 3LL * n * size * size, pixel / s, pixel % s, value);
    for (int c = 0; c < 3 && grad_rgb; ++c)
      grad_rgb[(n * 3LL + c) * plane + pixel] = known ? value[c] : nanf("");
    if (grad_mask) grad_mask[n * plane + pixel] = known ? value[3] : nanf("");
  }
}

// grad_from and grad_to [B,4]; either may be null. One block a sample, at most 256 threads, a power of two.
extern "C" __global__ void composite_crop_backward_boxes(DPA_INPUTS, const float* grad, float* grad_from,
                                                         float* grad_to) {
  __shared__ float part[8][256];
  DPA_ARRAYS;
  const int n = blockIdx.x, lane = threadIdx.x;
  dpa::Sample p;
  const bool known = sample_of(a, n, p);
  float value[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
  for (int pixel = lane; pixel < size * size; pixel += blockDim.x)
    dpa::backward_boxes_pixel(p, grad + 3LL * n * size * size, pixel / size, pixel % size, value);
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
