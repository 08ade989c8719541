// From a typed interface to the list of what the filter admits. Derived, never written by hand.
#pragma once

#include "messages/transport/frames.hpp"

#include <caf/all.hpp>

#include <string>
#include <type_traits>
#include <vector>

namespace banger::transport {

/// An actor that clients may talk to, and how.
struct target {
  caf::strong_actor_ptr actor;
  std::vector<frames::clause> clauses;
};

/// A CAF inspector that does not read values but writes down their shape.
class shape_writer {
public:
  using result_type = void;

  template <class... Ts>
  void operator()(Ts&&... fields) {
    (add(fields), ...);
  }

  frames::shape take() { return frames::shape::record(std::move(parts_)); }

  template <class T>
  static frames::shape of() {
    shape_writer writer;
    T value{};
    writer.add(value);
    return std::move(writer.parts_.front());
  }

private:
  template <class T>
  void add(T& field) {
    using type = std::remove_cv_t<T>;
    if constexpr (caf::meta::is_annotation<type>::value)
      ; // names of types are not on the wire
    else if constexpr (std::is_integral_v<type> || std::is_enum_v<type>)
      parts_.push_back(frames::shape::fixed(sizeof(type)));
    else if constexpr (std::is_same_v<type, std::string>)
      parts_.push_back(frames::shape::text());
    else
      add_composed(field);
  }

  template <class T>
  void add_composed(std::vector<T>&) {
    static_assert(!std::is_same_v<T, bool>, "CAF packs the bits of a vector<bool>");
    static_assert(sizeof(T) > 1 || std::is_class_v<T>, "bytes travel as strings");
    parts_.push_back(frames::shape::list(of<T>()));
  }

  template <class T>
  void add_composed(T& record) {
    shape_writer inner;
    inspect(inner, record);
    parts_.push_back(inner.take());
  }

  std::vector<frames::shape> parts_;
};

namespace detail {

template <class T>
struct element {
  static frames::shape content() { return shape_writer::of<T>(); }
  static std::string name(const caf::actor_system& system) {
    const caf::rtti_pair type{caf::type_nr<T>::value,
                              caf::type_nr<T>::value == 0 ? &typeid(T) : nullptr};
    return system.types().portable_name(type);
  }
};

template <caf::atom_value Value>
struct element<caf::atom_constant<Value>> {
  static frames::shape content() { return frames::shape::exact(static_cast<std::uint64_t>(Value)); }
  static std::string name(const caf::actor_system& system) {
    return element<caf::atom_value>::name(system);
  }
};

template <class Signature>
struct clause_of;

template <class... In, class Out>
struct clause_of<caf::typed_mpi<caf::detail::type_list<In...>, Out>> {
  static frames::clause make(const caf::actor_system& system) {
    std::string types = "@<>";
    ((types += '+' + element<In>::name(system)), ...);
    return {std::move(types), frames::shape::record({element<In>::content()...})};
  }
};

template <class... Signatures>
std::vector<frames::clause> clauses_of(const caf::actor_system& system,
                                       const caf::typed_actor<Signatures...>*) {
  return {clause_of<Signatures>::make(system)...};
}

} // namespace detail

/// `handle` with every clause of its interface.
template <class Interface>
target admit(const caf::actor_system& system, const Interface& handle) {
  return {caf::actor_cast<caf::strong_actor_ptr>(handle),
          detail::clauses_of(system, static_cast<const Interface*>(nullptr))};
}

} // namespace banger::transport
