// Runs a CUDA kernel's own source on the CPU: one fibre per CUDA thread, one block after another. For tests: it
// finds wrong arithmetic, wrong arguments and barriers that not all threads reach, not races.
// Supports threadIdx, blockIdx, blockDim, gridDim (x only), __shared__ and __syncthreads.
#pragma once
#include <ucontext.h>

#include <cmath>
#include <functional>
#include <stdexcept>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static

namespace simt {

struct Index {
  unsigned x;
};
struct Fibre {
  ucontext_t context;
  std::vector<char> stack;
  bool done;
};

inline ucontext_t scheduler;
inline std::vector<Fibre> fibres;
inline std::function<void()> body;
inline Index thread, block, threads, blocks;

inline void enter() {
  const unsigned me = thread.x;
  body();
  fibres[me].done = true;
}

inline void barrier() {
  const unsigned me = thread.x;
  swapcontext(&fibres[me].context, &scheduler);
}

inline void launch(unsigned block_count, unsigned thread_count, std::function<void()> kernel) {
  body = std::move(kernel);
  blocks = {block_count};
  threads = {thread_count};
  fibres.resize(thread_count);
  for (block.x = 0; block.x < block_count; ++block.x) {
    for (auto& f : fibres) {
      f.stack.resize(64 << 10);
      f.done = false;
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = f.stack.data();
      f.context.uc_stack.ss_size = f.stack.size();
      f.context.uc_link = &scheduler;
      makecontext(&f.context, enter, 0);
    }
    for (unsigned running = thread_count; running;) {
      const unsigned before = running;
      running = 0;
      for (thread.x = 0; thread.x < thread_count; ++thread.x) {
        swapcontext(&scheduler, &fibres[thread.x].context);
        running += !fibres[thread.x].done;
      }
      if (running && running != before) throw std::runtime_error("a barrier that some threads never reach");
    }
  }
}

}  // namespace simt

#define threadIdx simt::thread
#define blockIdx simt::block
#define blockDim simt::threads
#define gridDim simt::blocks
inline void __syncthreads() { simt::barrier(); }
