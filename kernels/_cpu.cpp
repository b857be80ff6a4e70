// CPU back-end of dpa.kernels: checks and dispatch only, the arithmetic is in the headers.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>

#include "cpu_rows.h"

namespace nb = nanobind;
template <int N>
using In = nb::ndarray<const float, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <int N>
using Out = nb::ndarray<float, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Index = nb::ndarray<const int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

namespace {

struct Batch {
  const float *rgb, *mask, *from, *plates, *to;
  const int64_t* index;
  int count, s, height, width, size;

  dpa::Sample operator[](int n) const {
    const int64_t plane = int64_t(s) * s, frame = int64_t(height) * width;
    return {rgb + 3 * n * plane, mask + n * plane, from + 4 * n, plates + 3 * index[n] * frame, to + 4 * n, s,
            height, width, size};
  }
};

Batch batch_of(const In<4>& rgb, const In<4>& mask, const In<2>& from, const In<4>& plates, const Index& index,
               const In<2>& to, size_t size) {
  const size_t b = rgb.shape(0), s = rgb.shape(2);
  if (rgb.shape(1) != 3 || rgb.shape(3) != s || mask.shape(0) != b || mask.shape(1) != 1 || mask.shape(2) != s ||
      mask.shape(3) != s || from.shape(0) != b || from.shape(1) != 4 || to.shape(0) != b || to.shape(1) != 4 ||
      plates.shape(1) != 3 || index.shape(0) != b || size == 0)
    throw nb::value_error("composite_crop: shapes do not agree");
  for (size_t n = 0; n < b; ++n)
    if (index.data()[n] < 0 || index.data()[n] >= int64_t(plates.shape(0)))
      throw nb::index_error("composite_crop: plate index out of range");
  return {rgb.data(), mask.data(), from.data(), plates.data(), to.data(), index.data(), int(b), int(s),
          int(plates.shape(2)), int(plates.shape(3)), int(size)};
}

// A sample is one thread's work from end to end, so the number of threads changes no bit of any result.
void forward(In<4> rgb, In<4> mask, In<2> from, In<4> plates, Index index, In<2> to, Out<4> out, int threads) {
  const Batch batch = batch_of(rgb, mask, from, plates, index, to, out.shape(3));
  if (int(out.shape(0)) != batch.count || out.shape(1) != 3 || out.shape(2) != out.shape(3))
    throw nb::value_error("composite_crop: out is not [B, 3, size, size]");
  float* result = out.data();
  nb::gil_scoped_release no_gil;
#pragma omp parallel num_threads(std::min(threads, batch.count))
  {
    dpa::Workspace w;
#pragma omp for schedule(dynamic)
    for (int n = 0; n < batch.count; ++n)
      dpa::forward_sample(batch[n], w, result + 3LL * n * batch.size * batch.size);
  }
}

float* data_or_null(std::optional<Out<4>>& a) { return a ? a->data() : nullptr; }
float* data_or_null(std::optional<Out<2>>& a) { return a ? a->data() : nullptr; }

void backward(In<4> rgb, In<4> mask, In<2> from, In<4> plates, Index index, In<2> to, In<4> grad,
              std::optional<Out<4>> grad_rgb, std::optional<Out<4>> grad_mask, std::optional<Out<2>> grad_from,
              std::optional<Out<2>> grad_to, int threads) {
  const Batch batch = batch_of(rgb, mask, from, plates, index, to, grad.shape(3));
  if (int(grad.shape(0)) != batch.count || grad.shape(1) != 3 || grad.shape(2) != grad.shape(3) ||
      (grad_rgb && grad_rgb->size() != rgb.size()) || (grad_mask && grad_mask->size() != mask.size()) ||
      (grad_from && grad_from->size() != from.size()) || (grad_to && grad_to->size() != to.size()))
    throw nb::value_error("composite_crop: shapes of the gradients do not agree");
  const float* given = grad.data();
  const dpa::Gradients all = {data_or_null(grad_rgb), data_or_null(grad_mask), data_or_null(grad_from),
                              data_or_null(grad_to)};
  nb::gil_scoped_release no_gil;
#pragma omp parallel num_threads(std::min(threads, batch.count))
  {
    dpa::Workspace w;
#pragma omp for schedule(dynamic)
    for (int n = 0; n < batch.count; ++n) {
      const int64_t plane = int64_t(batch.s) * batch.s;
      const dpa::Gradients one = {all.rgb ? all.rgb + 3 * n * plane : nullptr, all.mask ? all.mask + n * plane : nullptr,
                                  all.from ? all.from + 4 * n : nullptr, all.to ? all.to + 4 * n : nullptr};
      dpa::backward_sample(batch[n], w, given + 3LL * n * batch.size * batch.size, one);
    }
  }
}

}  // namespace

NB_MODULE(_cpu, m) {
  m.def("forward", &forward, nb::arg("rgb"), nb::arg("mask"), nb::arg("box_from"), nb::arg("plates"),
        nb::arg("plate_index"), nb::arg("box_to"), nb::arg("out"), nb::arg("threads"));
  m.def("backward", &backward, nb::arg("rgb"), nb::arg("mask"), nb::arg("box_from"), nb::arg("plates"),
        nb::arg("plate_index"), nb::arg("box_to"), nb::arg("grad"), nb::arg("grad_rgb").none(),
        nb::arg("grad_mask").none(), nb::arg("grad_from").none(), nb::arg("grad_to").none(), nb::arg("threads"));
#ifdef _OPENMP
  m.attr("openmp") = true;
#else
  m.attr("openmp") = false;
#endif
}
