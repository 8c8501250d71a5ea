using System;

namespace Contrapose.Tests
{
    /// <summary>What code allocates on this thread.</summary>
    static class Allocated
    {
        const int Rounds = 5, Times = 1000;

        /// <summary>Bytes of a thousand runs, the least of some rounds: when another thread has memory collected, what this
        /// one has not used of its share counts as allocated, which is up to 8 KB.</summary>
        public static long Least(Action once)
        {
            var least = long.MaxValue;
            for (var round = 0; round < Rounds && least > 0; round++)
            {
                for (var i = 0; i < 10; i++) once();
                var before = GC.GetAllocatedBytesForCurrentThread();
                for (var i = 0; i < Times; i++) once();
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }
            return least;
        }
    }
}
