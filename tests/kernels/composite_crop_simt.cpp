// kernels/composite_crop.cu as a library for the CPU: each kernel with its launch geometry in front.
#include "simt_cpu.h"
#include "composite_crop.cu"

#define INPUTS                                                                                     \
  unsigned blocks, unsigned threads, const float *rgb, const float *mask, const float *from,        \
      const float *plates, const long long *plate_index, const float *to, int batch, int s, int count, \
      int height, int width, int size
#define LAUNCH(kernel, ...)               \
  simt::launch(blocks, threads, [=] {     \
    kernel(rgb, mask, from, plates, plate_index, to, batch, s, count, height, width, size, __VA_ARGS__); \
  })

extern "C" {
void launch_composite_crop_forward(INPUTS, float* out) { LAUNCH(composite_crop_forward, out); }
void launch_composite_crop_backward_crop(INPUTS, const float* grad, float* grad_rgb, float* grad_mask) {
  LAUNCH(composite_crop_backward_crop, grad, grad_rgb, grad_mask);
}
void launch_composite_crop_backward_boxes(INPUTS, const float* grad, float* grad_from, float* grad_to) {
  LAUNCH(composite_crop_backward_boxes, grad, grad_from, grad_to);
}
}
