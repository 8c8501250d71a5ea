// Runs inside the WebAssembly runtime of compile.mjs: a job of lines to assemblies.
//
//   assembly NAME library|exe OUT    begins an assembly
//   define SYMBOL                    for all sources of this assembly
//   source /FILE PATH                C# 9, without unsafe code
//   reference /FILE PATH             a compiled assembly
//   uses NAME                        an assembly of this job, from above
//
// A tree whose text has no `#if` is parsed once and shared by all assemblies of the job. Every
// warning is an error. The package is trimmed: preprocessor symbols are prepended as `#define`.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

public static class Compile
{
    sealed class Job
    {
        public string Name;
        public bool IsExe;
        public string Defines = "";
        public string Missing;
        public readonly List<string[]> Sources = new List<string[]>();
        public readonly List<MetadataReference> References = new List<MetadataReference>();
    }

    static readonly Dictionary<string, SyntaxTree> Trees = new Dictionary<string, SyntaxTree>();
    static readonly Dictionary<string, MetadataReference> Files = new Dictionary<string, MetadataReference>();
    static readonly Dictionary<string, MetadataReference> Made = new Dictionary<string, MetadataReference>();

    public static void Main(string[] args)
    {
        Job job = null;
        foreach (var line in Encoding.UTF8.GetString(File.ReadAllBytes("/job")).Split('\n'))
        {
            var words = line.Split(' ');
            if (words[0] == "assembly")
            {
                Finish(job);
                job = new Job { Name = words[1], IsExe = words[2] == "exe" };
            }
            else if (words[0] == "define") job.Defines += "#define " + words[1] + "\n";
            else if (words[0] == "source") job.Sources.Add(words);
            else if (words[0] == "reference") job.References.Add(Reference(words[1]));
            else if (words[0] == "uses" && Made.TryGetValue(words[1], out var made)) job.References.Add(made);
            else if (words[0] == "uses") job.Missing = words[1];
        }
        Finish(job);
    }

    static MetadataReference Reference(string file)
    {
        if (!Files.TryGetValue(file, out var known))
            Files[file] = known = MetadataReference.CreateFromStream(new MemoryStream(File.ReadAllBytes(file)));
        return known;
    }

    static SyntaxTree Tree(string[] source, string defines)
    {
        var text = Encoding.UTF8.GetString(File.ReadAllBytes(source[1])).TrimStart('\uFEFF');
        var path = string.Join(" ", source, 2, source.Length - 2);
        var isSame = !text.Contains("#if");
        var key = isSame ? path : defines + path;
        if (!Trees.TryGetValue(key, out var tree))
        {
            var whole = isSame || defines == "" ? text : defines + "#line 1\n" + text;
            var options = new CSharpParseOptions(LanguageVersion.CSharp9);
            Trees[key] = tree = CSharpSyntaxTree.ParseText(SourceText.From(whole), options, path);
        }
        return tree;
    }

    static void Finish(Job job)
    {
        if (job == null) return;
        if (job.Missing != null)
        {
            Console.WriteLine("FAILED " + job.Name + ": it uses " + job.Missing);
            return;
        }
        var trees = new List<SyntaxTree>();
        foreach (var source in job.Sources) trees.Add(Tree(source, job.Defines));
        var kind = job.IsExe ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary;
        var name = job.Name.Split('@')[0];
        var compilation = CSharpCompilation.Create(name, trees, job.References, new CSharpCompilationOptions(kind));
        var bytes = new MemoryStream();
        var result = compilation.Emit(bytes);
        var isClean = result.Success;
        foreach (var fault in result.Diagnostics)
        {
            if (fault.Severity < DiagnosticSeverity.Warning) continue;
            isClean = false;
            Console.WriteLine(fault.ToString());
        }
        if (!isClean)
        {
            Console.WriteLine("FAILED " + job.Name);
            return;
        }
        Made[job.Name] = MetadataReference.CreateFromStream(new MemoryStream(bytes.ToArray()));
        Console.WriteLine("EMIT " + job.Name + " " + Convert.ToBase64String(bytes.ToArray()));
    }
}
