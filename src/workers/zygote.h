// The small process that forks shims, so that the server never forks.
//
// `mahavishnu __zygote RUN_DIR`, executed anew by the server, its only child. It takes one
// descriptor a shim from its control socket (number 3), forks, and lets go: the shim reads its
// orders from that descriptor. It starts nothing once the server has closed the other
// end, even if more descriptors are queued. It holds RUN_DIR/zygote.lock, and so do its shims
// while an order may come to them: who gets the lock alone knows that nothing of a former life can
// still start.
#pragma once

namespace mahavishnu::workers {

inline constexpr int kZygoteControl = 3;

// Called by main() for `__zygote`. Returns the exit code; in a shim it does not return.
int zygote_main(int argc, char** argv);

}  // namespace mahavishnu::workers
