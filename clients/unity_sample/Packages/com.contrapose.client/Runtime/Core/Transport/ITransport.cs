using System;

namespace Contrapose.Core
{
    /// <summary>How a connection ended.</summary>
    public sealed class Closing
    {
        /// <summary>gRPC's number: 0 OK, 3 INVALID_ARGUMENT, 8 RESOURCE_EXHAUSTED, 14 UNAVAILABLE, ... -1: the
        /// connection broke and nobody said why.</summary>
        public readonly int Status;

        /// <summary>For people.</summary>
        public readonly string Message;

        public Closing(int status, string message)
        {
            Status = status;
            Message = message;
        }

        /// <summary>What the close code and reason of a WebSocket say: 1000 after OK, 4000 + gRPC's number after an
        /// error.</summary>
        public static Closing OfWebSocket(int code, string reason)
        {
            if (code == 1000) return new Closing(0, "");
            var status = code >= 4000 && code <= 4016 ? code - 4000 : -1;
            return new Closing(status, string.IsNullOrEmpty(reason) ? "the connection was closed" : reason);
        }
    }

    /// <summary>Carries messages as bytes. All members are for one thread, the main one; none of them waits.</summary>
    public interface ITransport : IDisposable
    {
        /// <summary>Begins to connect; once.</summary>
        void Connect();

        bool IsOpen { get; }

        /// <summary>How it ended; null as long as it has not. Messages may still wait to be read.</summary>
        Closing Closing { get; }

        /// <summary>Hands a copy over to be sent. What does not fit in the queue is left out, and false: a network
        /// that slow is dead, or soon well again.</summary>
        bool Send(ReadOnlySpan<byte> message);

        /// <summary>The oldest message that has come; valid until the next call.</summary>
        bool TryReceive(out ReadOnlyMemory<byte> message);

        /// <summary>Nothing more will be sent; what the server still has to say can be received.</summary>
        void CloseSending();
    }
}
