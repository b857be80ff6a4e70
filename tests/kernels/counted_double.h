// A double that counts what is done with it, in the place of composite_crop.h's own.
#pragma once
#include <cmath>

namespace counted {

inline long long operations = 0;

struct Double {
  double value;
  Double() = default;
  explicit Double(double v) : value(v) {}
  explicit Double(float v) : value(v) {}
  explicit Double(int v) : value(v) {}
  explicit operator float() const { return ++operations, float(value); }
};

inline Double made(double v) { return ++operations, Double(v); }
inline Double operator+(Double a, Double b) { return made(a.value + b.value); }
inline Double operator-(Double a, Double b) { return made(a.value - b.value); }
inline Double operator*(Double a, Double b) { return made(a.value * b.value); }
inline Double operator/(Double a, Double b) { return made(a.value / b.value); }
inline Double operator-(Double a) { return made(-a.value); }
inline Double floor(Double a) { return made(std::floor(a.value)); }
inline bool operator<(Double a, Double b) { return ++operations, a.value < b.value; }
inline bool operator>(Double a, Double b) { return b < a; }
inline bool operator==(Double a, Double b) { return ++operations, a.value == b.value; }

}  // namespace counted

extern "C" long long double_operations() { return counted::operations; }
