// Equality of the contract's plain values, member by member.
//
// The types have no operator== of their own. Each is taken apart by a structured binding, so that a
// member added to a type makes this fail to compile instead of going uncompared.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "domain/records.h"

namespace mahavishnu::test {

using namespace mahavishnu::domain;

inline auto fields(const Limits& v) {
  const auto& [a, b, c, d] = v;
  return std::tie(a, b, c, d);
}
inline auto fields(const Timeouts& v) {
  const auto& [a, b, c, d, e] = v;
  return std::tie(a, b, c, d, e);
}
inline auto fields(const RetryPolicy& v) {
  const auto& [a, b, c, d, e] = v;
  return std::tie(a, b, c, d, e);
}
inline auto fields(const Work& v) {
  const auto& [a, b, c, d, e, f, g, h, i] = v;
  return std::tie(a, b, c, d, e, f, g, h, i);
}
inline auto fields(const TaskSpec& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
}
inline auto fields(const StepSpec& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j);
}
inline auto fields(const RepoRef& v) {
  const auto& [a, b] = v;
  return std::tie(a, b);
}
inline auto fields(const WorkflowSpec& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j);
}
inline auto fields(const PoolSettings& v) {
  const auto& [a, b, c, d, e] = v;
  return std::tie(a, b, c, d, e);
}
inline auto fields(const PoolSpec& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
}
inline auto fields(const AttemptRecord& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k);
}
inline auto fields(const TaskResult& v) {
  const auto& [a, b, c, d, e, f, g, h, i] = v;
  return std::tie(a, b, c, d, e, f, g, h, i);
}
inline auto fields(const TaskStatus& v) {
  const auto& [a, b, c, d, e, f, g, h, i] = v;
  return std::tie(a, b, c, d, e, f, g, h, i);
}
inline auto fields(const TaskRecord& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
}
inline auto fields(const WorkflowStatus& v) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k);
}
inline auto fields(const WorkflowRecord& v) {
  const auto& [a, b, c, d] = v;
  return std::tie(a, b, c, d);
}
inline auto fields(const PoolRecord& v) {
  const auto& [a, b, c, d, e, f] = v;
  return std::tie(a, b, c, d, e, f);
}

template <class T>
bool same(const T& a, const T& b);
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return false;
  }
  return true;
}
template <class T>
bool same(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b ? same(*a, *b) : a.has_value() == b.has_value();
}
template <class T>
bool same(const std::shared_ptr<T>& a, const std::shared_ptr<T>& b) {
  return a && b ? same(*a, *b) : !a && !b;
}
template <class T>
bool same(const T& a, const T& b) {
  if constexpr (requires { fields(a); }) {
    const auto equal = [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto left = fields(a);
      const auto right = fields(b);
      return (same(std::get<I>(left), std::get<I>(right)) && ...);
    };
    return equal(std::make_index_sequence<std::tuple_size_v<decltype(fields(a))>>{});
  } else {
    return a == b;
  }
}

}  // namespace mahavishnu::test
