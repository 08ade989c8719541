// The network actor's state. Inside this folder only.
#pragma once

#include "actors/network/network.hpp"

#include <chrono>
#include <deque>
#include <map>

namespace banger::network {

inline constexpr std::chrono::seconds deadline{20}; ///< of an order
inline constexpr std::size_t most_under_way = 16;   ///< orders; the helper has room for 64

/// One that is on the bridge.
struct guest {
  std::string name;
  ipv4 address;
  bool nat = false;
  bool unsure = false; ///< a change of it failed, nobody knows when
};

/// One that comes. It is let in as long as nobody has said that it goes again.
struct newcomer {
  arrival who;
  ipv4 address;
  caf::typed_response_promise<lease_ptr> answer;
  std::uint64_t visit = 0;
  bool again = false; ///< what was missing was made once more for it
};

/// One that goes, and who wants to know when it is gone.
struct leaver {
  std::string vm;
  guest who;
  std::string bridge, network;
  std::vector<caf::typed_response_promise<void>> answers;
};

namespace detail {

/// An answer to an order, which makes room for the next one.
template <class F, class Args = typename caf::detail::get_callable_trait<F>::arg_types>
struct answer_to_order;

template <class F, class... Args>
struct answer_to_order<F, caf::detail::type_list<Args...>> {
  std::function<void()> heard;
  F f;
  void operator()(Args... args) {
    heard();
    f(std::forward<Args>(args)...);
  }
};

} // namespace detail

class network_state : public actor::state_base {
public:
  static inline const char* name = "network";

  void init(network_actor::pointer self, surroundings around);

  caf::result<lease_ptr> attach(const arrival& who);
  caf::result<void> detach(const departure& who);
  caf::result<policy_ptr> set_nat(const std::string& op, const std::string& vm, bool nat);
  caf::result<void> rename(const std::string& vm, const std::string& to);
  void forget(const std::string& vm);
  caf::result<void> part();

private:
  using then = std::function<void(const expected<void>&)>;

  void settle_known();
  void look_around();
  messages::network_sweep strangers(const messages::network_inventory& found) const;
  void sweep_ground(const std::string& op, const std::function<void()>& next);
  void lay_ground(const std::string& op, then done);
  void ground_step(const std::string& op);
  void route_names(const std::string& op);
  void names_fail(const std::string& why);
  std::vector<std::string> told(std::vector<std::string> obstacles) const;
  void ground_laid(const expected<void>& outcome);
  void settle_in(const newcomer& one);
  void admit(const newcomer& one);
  void not_admitted(newcomer one, const failure& why);
  void open_tap(const newcomer& one, const messages::policy_reply& policy);
  void hand_out(const newcomer& one, const lease_ptr& made);
  bool turned_back(const newcomer& one);
  void answer(const newcomer& one, expected<lease_ptr> outcome);
  void turn_back(const std::string& vm);
  leaver* find_leaver(const std::function<bool(const leaver&)>& is_it);
  leaver* leave(const std::string& op, const std::string& vm);
  leaver* leave_elsewhere(const departure& who);
  leaver* go(const std::string& op, leaver one);
  void withdraw(const std::string& op);
  void withdraw_taps(const std::string& op, unsigned tries);
  void withdraw_guests(const std::string& op);
  void withdraw_guest(const messages::guest_change& change, unsigned tries,
                      const std::function<void()>& done);
  void not_tidied(const failure& why, unsigned tries, std::function<void()> again,
                  const std::function<void()>& give_up);
  void withdrawn();
  void change(const std::string& op, const std::string& vm, const guest& to,
              caf::typed_response_promise<policy_ptr> answer);
  void part_from_names();
  void part_from_bridge();
  void parted();
  messages::guest_order order_of(const guest& g) const;
  template <class Order>
  Order about(const std::string& op) const;
  template <class Atom, class Order, class Then>
  void say(Atom what, const Order& order, Then after, std::function<void(const failure&)> failed);
  void in_turn(std::function<void()> order);
  void heard();

  network_actor::pointer self_ = nullptr;
  std::optional<surroundings> around_;
  std::optional<address_book> addresses_;
  privileged::privileged_actor privileged_;
  std::map<std::string, guest> guests_;           ///< on the bridge now, by VM
  std::map<std::string, std::uint64_t> arriving_; ///< visits without an answer, by VM
  std::uint64_t last_visit_ = 0;
  std::map<std::string, known_guest> elsewhere_; ///< run, and not where this one can see to them
  std::vector<newcomer> returning_;              ///< until what had their address is gone
  std::vector<leaver> leaving_, being_withdrawn_;

  std::deque<std::function<void()>> orders_; ///< until it is their turn
  std::size_t under_way_ = 0;

  std::optional<caf::typed_response_promise<void>> parting_;
  bool ours_ = false;         ///< the bridge, since it was made or found as we would make it
  bool swept_ = false;        ///< of what a daemon before us left
  bool ground_ = false;       ///< bridge and policy are what they are to be, as far as we know
  std::vector<then> waiting_; ///< until they are
  std::string no_names_;      ///< why nobody answers for names
};

template <class Order>
Order network_state::about(const std::string& op) const {
  Order order;
  order.op = op;
  order.bridge = around_->bridge.str();
  if constexpr (requires { order.network; })
    order.network = around_->net->str();
  return order;
}

template <class Atom, class Order, class Then>
void network_state::say(Atom what, const Order& order, Then after,
                        std::function<void(const failure&)> failed) {
  in_turn([this, what, order, after = std::move(after), failed = std::move(failed)] {
    const auto next = [this] { heard(); };
    actor::ask(self_, privileged_, deadline, what, order)
        .then(detail::answer_to_order<Then>{next, after}, [next, failed](caf::error& why) {
          next();
          failed(actor::from_error(why));
        });
  });
}

} // namespace banger::network
