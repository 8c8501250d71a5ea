using System;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Threading;
using System.Threading.Tasks;

namespace Contrapose.Core
{
    /// <summary>ws:// and wss://: each binary message is one message of the wire contract.</summary>
    public sealed class WebSocketTransport : QueuedTransport
    {
        /// <summary>Of sessions, on the server.</summary>
        public const string Path = "/v1/interact";

        const string Subprotocol = "contrapose.v1";

        readonly Uri address;
        readonly ClientWebSocket socket = new ClientWebSocket();
        readonly byte[] buffer = new byte[64 << 10];
        byte[] whole = new byte[64 << 10];

        /// <param name="address">ws://HOST:PORT or wss://HOST:PORT</param>
        /// <param name="token">bearer token; empty: none</param>
        /// <param name="root">a private root certificate to trust beside the system's; null: none</param>
        public WebSocketTransport(Uri address, string token = "", X509Certificate2 root = null)
        {
            this.address = new Uri(address, Path);
            socket.Options.AddSubProtocol(Subprotocol);
            if (!string.IsNullOrEmpty(token)) socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
            if (root != null) socket.Options.RemoteCertificateValidationCallback = PrivateRoot.Callback(root);
        }

        protected override async Task<Closing> ConnectAsync(CancellationToken stop)
        {
            await socket.ConnectAsync(address, stop).ConfigureAwait(false);
            var sending = OpenedAsync(stop);
            var closing = await ReceiveAsync(stop).ConfigureAwait(false);
            if (sending.IsFaulted) await sending.ConfigureAwait(false);
            return closing;
        }

        async Task<Closing> ReceiveAsync(CancellationToken stop)
        {
            var length = 0;
            while (true)
            {
                var part = await socket.ReceiveAsync(new Memory<byte>(buffer), stop).ConfigureAwait(false);
                if (part.MessageType == WebSocketMessageType.Close) return Ended();
                if (length + part.Count > MostBytes) return new Closing(-1, "the server sent a message of over 4 MB");
                if (length + part.Count > whole.Length) Array.Resize(ref whole, Math.Max(2 * whole.Length, length + part.Count));
                Buffer.BlockCopy(buffer, 0, whole, length, part.Count);
                length += part.Count;
                if (!part.EndOfMessage) continue;
                await ArrivedAsync(new ReadOnlyMemory<byte>(whole, 0, length), stop).ConfigureAwait(false);
                length = 0;
            }
        }

        Closing Ended() =>
            Closing.OfWebSocket((int)(socket.CloseStatus ?? WebSocketCloseStatus.Empty), socket.CloseStatusDescription);

        protected override Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken stop) =>
            socket.SendAsync(message, WebSocketMessageType.Binary, true, stop).AsTask();

        /// <summary>The end of input is a message of its own; the server closes when it has answered.</summary>
        protected override Task EndAsync(CancellationToken stop) => Task.CompletedTask;

        protected override void Abort()
        {
            socket.Abort();
            socket.Dispose();
        }
    }
}
