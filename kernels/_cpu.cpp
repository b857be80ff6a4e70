// CPU back-end of dpa.kernels: checks and dispatch only, the arithmetic is in the headers.
#include <nanobind/nanobind.h>

NB_MODULE(_cpu, m) {
#ifdef _OPENMP
  m.attr("openmp") = true;
#else
  m.attr("openmp") = false;
#endif
}
