#include "cli/mailbox.hpp"

#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

namespace banger::cli {

namespace {

constexpr ssize_t pointer_size = sizeof(void*);

} // namespace

mailbox::mailbox() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe for the mailbox");
  read_.reset(ends[0]);
  write_.reset(ends[1]);
  ::fcntl(read_.get(), F_SETFL, O_NONBLOCK);
}

mailbox::~mailbox() {
  while (take()) {
  }
}

void mailbox::post(std::function<void()> letter) {
  auto* sent = new std::function<void()>(std::move(letter));
  if (::write(write_.get(), &sent, pointer_size) != pointer_size)
    delete sent;
}

bool mailbox::open_letters() {
  bool any = false;
  while (auto letter = take()) {
    any = true;
    (*letter)();
  }
  return any;
}

std::unique_ptr<std::function<void()>> mailbox::take() {
  std::function<void()>* letter = nullptr;
  if (::read(read_.get(), &letter, pointer_size) != pointer_size)
    return nullptr;
  return std::unique_ptr<std::function<void()>>(letter);
}

} // namespace banger::cli
