// WebSockets for WebGlTransport.cs. Messages wait here until C# takes them.
mergeInto(LibraryManager.library, {
  $ContraposeSockets: { next: 1, open: {} },

  ContraposeSocketOpen__deps: ["$ContraposeSockets"],
  ContraposeSocketOpen: function (address, token) {
    var id = ContraposeSockets.next++;
    var secret = UTF8ToString(token);
    var protocols = secret ? ["contrapose.v1", "contrapose.bearer." + secret] : ["contrapose.v1"];
    var entry = { state: 0, code: 1006, reason: "", waiting: [], socket: null };
    ContraposeSockets.open[id] = entry;
    try {
      entry.socket = new WebSocket(UTF8ToString(address), protocols);
    } catch (error) {
      entry.state = 2;
      entry.reason = String(error.message || error);
      return id;
    }
    entry.socket.binaryType = "arraybuffer";
    entry.socket.onopen = function () { entry.state = 1; };
    entry.socket.onmessage = function (event) {
      // Neither text nor a message without bytes, which C# would take for none, is one of the contract's.
      if (event.data instanceof ArrayBuffer && event.data.byteLength) {
        entry.waiting.push(new Uint8Array(event.data));
      }
    };
    entry.socket.onclose = function (event) {
      entry.state = 2;
      entry.code = event.code;
      entry.reason = event.reason;
    };
    return id;
  },

  ContraposeSocketState__deps: ["$ContraposeSockets"],
  ContraposeSocketState: function (id) { return ContraposeSockets.open[id].state; },

  ContraposeSocketCode__deps: ["$ContraposeSockets"],
  ContraposeSocketCode: function (id) { return ContraposeSockets.open[id].code; },

  ContraposeSocketReason__deps: ["$ContraposeSockets"],
  ContraposeSocketReason: function (id, text, room) {
    var bytes = new TextEncoder().encode(ContraposeSockets.open[id].reason).subarray(0, room);
    HEAPU8.set(bytes, text);
    return bytes.length;
  },

  ContraposeSocketSend__deps: ["$ContraposeSockets"],
  ContraposeSocketSend: function (id, bytes, length) {
    var entry = ContraposeSockets.open[id];
    if (entry.state !== 1 || entry.socket.bufferedAmount > 1048576) return 0;
    entry.socket.send(HEAPU8.slice(bytes, bytes + length));
    return 1;
  },

  ContraposeSocketPending__deps: ["$ContraposeSockets"],
  ContraposeSocketPending: function (id) {
    var waiting = ContraposeSockets.open[id].waiting;
    return waiting.length ? waiting[0].length : 0;
  },

  ContraposeSocketTake__deps: ["$ContraposeSockets"],
  ContraposeSocketTake: function (id, bytes, length) {
    HEAPU8.set(ContraposeSockets.open[id].waiting.shift().subarray(0, length), bytes);
  },

  ContraposeSocketClose__deps: ["$ContraposeSockets"],
  ContraposeSocketClose: function (id) {
    var entry = ContraposeSockets.open[id];
    delete ContraposeSockets.open[id];
    if (entry.socket) {
      entry.socket.onopen = entry.socket.onmessage = entry.socket.onclose = null;
      entry.socket.close(1000);
    }
  },
});
