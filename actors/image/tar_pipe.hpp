// A program that writes an archive on its standard output, unpacked while it comes.
#pragma once

#include "actors/image/tar_tree.hpp"
#include "actors/storage/process.hpp"

#include <functional>

namespace banger::image {

/// Says what a program's failure means.
using explain_fn = std::function<failure(const failure&)>;

/// Runs it and unpacks what it writes into the empty folder `tree`. The archive ends where the
/// program closes it or has ended: a process that it left behind holds nothing up. It may write
/// more than the archive (tar fills its last record). If the archive cannot be unpacked, the
/// program is ended and that is the error; if the program fails, what `explain` says. `cancelled`.
expected<tar_content> unpack_output(storage::command run, const std::filesystem::path& tree,
                                    const tar_options& options, const explain_fn& explain,
                                    const std::stop_token& stop);

} // namespace banger::image
