using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using NUnit.Framework;

namespace Contrapose.Tests
{
    /// <summary>Core is compiled against .NET Core 3.1, which has a little more than Unity's .NET Standard 2.1: what
    /// the compiled file refers to is compared with what netstandard.dll offers.</summary>
    public class StandardTests
    {
        [Test]
        public void Core_uses_no_type_outside_the_NET_Standard()
        {
            var standard = Environment.GetEnvironmentVariable("CONTRAPOSE_STANDARD");
            if (string.IsNullOrEmpty(standard)) Assert.Ignore("CONTRAPOSE_STANDARD is not set: Tools~/csharp.py sets it, where there is no .NET SDK");
            var offered = new HashSet<string>(Names(standard, reader => reader.ExportedTypes.Select(handle =>
            {
                var type = reader.GetExportedType(handle);
                return Name(reader, type.Namespace, type.Name);
            })));
            Assert.Greater(offered.Count, 1000);
            var used = Names(typeof(Core.WireReader).Assembly.Location, reader => reader.TypeReferences
                .Select(reader.GetTypeReference)
                .Where(type => type.ResolutionScope.Kind == HandleKind.AssemblyReference)
                .Select(type => Name(reader, type.Namespace, type.Name))).ToList();
            Assert.Greater(used.Count, 30);
            Assert.AreEqual("", string.Join(", ", used.Where(name => !offered.Contains(name) && !IsCompilers(name))));
        }

        /// <summary>Attributes that the compiler puts in, and that runtimes ignore.</summary>
        static bool IsCompilers(string name) => name.StartsWith("System.Runtime.CompilerServices.");

        static string Name(MetadataReader reader, StringHandle space, StringHandle name) =>
            reader.GetString(space) + "." + reader.GetString(name);

        static List<string> Names(string file, Func<MetadataReader, IEnumerable<string>> names)
        {
            using var stream = File.OpenRead(file);
            using var image = new PEReader(stream);
            return names(image.GetMetadataReader()).ToList();
        }
    }
}
