// Orders that are meant for a VM at rest only.
#include "actors/vm/vm_state.hpp"

namespace banger::vm {

void vm_state::take_at_rest(order wanted) {
  const auto ok = check_rest(*vm_, !queue_.empty());
  if (ok)
    return take(std::move(wanted));
  operation op;
  op.wanted = std::move(wanted);
  op.first_error = ok.error();
  op.first_error->operation = op.wanted.op;
  actor::tell(self_, around_.directory, report(op));
}

} // namespace banger::vm
