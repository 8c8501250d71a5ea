namespace Contrapose.Core
{
    /// <summary>A message of the wire contract. One object is written or read again and again: nothing is
    /// allocated once its arrays have grown to what they hold.</summary>
    public interface IMessage
    {
        /// <summary>Bytes that <see cref="WriteTo"/> will add.</summary>
        int ByteCount();

        void WriteTo(WireWriter writer);

        /// <summary>Replaces what this object holds. Fields that are not known are skipped.</summary>
        /// <exception cref="WireException">The bytes are no such message.</exception>
        void ReadFrom(WireReader reader);

        /// <summary>Everything absent; arrays keep their room.</summary>
        void Clear();
    }
}
