using System;
using System.Threading;
using System.Threading.Tasks;

namespace Contrapose.Core
{
    /// <summary>A transport whose connection lives on other threads: one loop that receives, one that sends, and a
    /// ring of messages to and from each.</summary>
    public abstract class QueuedTransport : ITransport
    {
        /// <summary>More than any message of the server.</summary>
        protected const int MostBytes = 4 << 20;

        readonly MessageRing received = new MessageRing(64);
        readonly MessageRing outgoing = new MessageRing(64);
        readonly SemaphoreSlim somethingToSend = new SemaphoreSlim(0);
        readonly CancellationTokenSource stop = new CancellationTokenSource();
        volatile Closing closing;
        volatile bool isOpen;
        volatile bool isSendingOver;
        bool isHeld;
        Task running = Task.CompletedTask;

        public bool IsOpen => isOpen && closing == null;

        public Closing Closing => closing;

        public void Connect() => running = Task.Run(RunAsync);

        public bool Send(ReadOnlySpan<byte> message)
        {
            if (isSendingOver || closing != null || !outgoing.TryAdd(message)) return false;
            somethingToSend.Release();
            return true;
        }

        public void CloseSending()
        {
            isSendingOver = true;
            somethingToSend.Release();
        }

        public bool TryReceive(out ReadOnlyMemory<byte> message)
        {
            if (isHeld) received.Drop();
            return isHeld = received.TryPeek(out message);
        }

        public void Dispose()
        {
            stop.Cancel();
            Abort();
            try
            {
                running.Wait(TimeSpan.FromSeconds(1));
            }
            catch (AggregateException)
            {
                // It was cancelled, as asked.
            }
        }

        /// <summary>Connects, then calls <see cref="OpenedAsync"/>; returns how it ended.</summary>
        protected abstract Task<Closing> ConnectAsync(CancellationToken stop);

        /// <summary>Sends one message.</summary>
        protected abstract Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken stop);

        /// <summary>Tells the server that nothing more comes.</summary>
        protected abstract Task EndAsync(CancellationToken stop);

        /// <summary>Ends the connection at once.</summary>
        protected abstract void Abort();

        /// <summary>Hands on a message that has come. Waits while the main thread is behind, so that a slow game
        /// slows its own server down and nobody's memory grows.</summary>
        protected async Task ArrivedAsync(ReadOnlyMemory<byte> message, CancellationToken stop)
        {
            while (!received.TryAdd(message.Span)) await Task.Delay(5, stop).ConfigureAwait(false);
        }

        /// <summary>Sends what is queued until there will be no more.</summary>
        protected async Task OpenedAsync(CancellationToken stop)
        {
            isOpen = true;
            while (true)
            {
                await somethingToSend.WaitAsync(stop).ConfigureAwait(false);
                if (outgoing.TryPeek(out var message))
                {
                    await SendAsync(message, stop).ConfigureAwait(false);
                    outgoing.Drop();
                }
                else if (isSendingOver)
                {
                    await EndAsync(stop).ConfigureAwait(false);
                    return;
                }
            }
        }

        async Task RunAsync()
        {
            Closing end;
            try
            {
                end = await ConnectAsync(stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                end = new Closing(-1, "closed here");
            }
            catch (Exception exception)
            {
                end = new Closing(-1, Innermost(exception).Message);
            }
            closing = end;
        }

        /// <summary>What went wrong at the bottom: what is over it says "see inner exception".</summary>
        internal static Exception Innermost(Exception exception) =>
            exception.InnerException == null ? exception : Innermost(exception.InnerException);
    }
}
