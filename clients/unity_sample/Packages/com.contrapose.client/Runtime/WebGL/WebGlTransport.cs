#if UNITY_WEBGL
using System;
using System.Runtime.InteropServices;
using Contrapose.Core;

namespace Contrapose.WebGL
{
    /// <summary>The browser's WebSocket: WebGL players have neither sockets nor threads of their own. The other half
    /// is ContraposeSocket.jslib.</summary>
    public sealed class WebGlTransport : ITransport
    {
        readonly string address;
        readonly string token;
        byte[] message = new byte[64 << 10];
        byte[] reason = new byte[256];
        int socket;

        public WebGlTransport(string address, string token)
        {
            this.address = new Uri(new Uri(address), WebSocketTransport.Path).ToString();
            this.token = token ?? "";
        }

        public bool IsOpen => socket != 0 && ContraposeSocketState(socket) == 1;

        public Closing Closing
        {
            get
            {
                if (socket == 0 || ContraposeSocketState(socket) != 2 || ContraposeSocketPending(socket) > 0) return null;
                var length = ContraposeSocketReason(socket, reason, reason.Length);
                var text = System.Text.Encoding.UTF8.GetString(reason, 0, length);
                return Closing.OfWebSocket(ContraposeSocketCode(socket), text);
            }
        }

        public void Connect() => socket = ContraposeSocketOpen(address, token);

        public bool Send(ReadOnlySpan<byte> bytes)
        {
            if (!IsOpen) return false;
            if (message.Length < bytes.Length) message = new byte[2 * bytes.Length];
            bytes.CopyTo(message);
            return ContraposeSocketSend(socket, message, bytes.Length) == 1;
        }

        public bool TryReceive(out ReadOnlyMemory<byte> received)
        {
            received = default;
            var length = socket == 0 ? 0 : ContraposeSocketPending(socket);
            if (length == 0) return false;
            if (message.Length < length) message = new byte[2 * length];
            ContraposeSocketTake(socket, message, length);
            received = new ReadOnlyMemory<byte>(message, 0, length);
            return true;
        }

        public void CloseSending() { }

        public void Dispose()
        {
            if (socket != 0) ContraposeSocketClose(socket);
            socket = 0;
        }

        [DllImport("__Internal")] static extern int ContraposeSocketOpen(string address, string token);

        /// <summary>0 connecting, 1 open, 2 closed.</summary>
        [DllImport("__Internal")] static extern int ContraposeSocketState(int socket);

        [DllImport("__Internal")] static extern int ContraposeSocketCode(int socket);

        [DllImport("__Internal")] static extern int ContraposeSocketReason(int socket, byte[] text, int room);

        [DllImport("__Internal")] static extern int ContraposeSocketSend(int socket, byte[] bytes, int length);

        /// <summary>Bytes of the oldest message that waits; 0: none does.</summary>
        [DllImport("__Internal")] static extern int ContraposeSocketPending(int socket);

        [DllImport("__Internal")] static extern void ContraposeSocketTake(int socket, byte[] bytes, int length);

        [DllImport("__Internal")] static extern void ContraposeSocketClose(int socket);
    }
}
#endif
