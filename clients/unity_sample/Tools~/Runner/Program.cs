// Runs the tests of this assembly: `Contrapose.Tests.dll [--junit FILE] [--only PART_OF_A_NAME]`.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Xml;
using NUnit.Framework;

static class Program
{
    sealed class Outcome
    {
        public string Name;
        public double Seconds;
        public string Failure;
        public string Skipped;
    }

    static int Main(string[] arguments)
    {
        var only = Option(arguments, "--only") ?? "";
        var outcomes = Cases(only).Select(Run).ToList();
        foreach (var outcome in outcomes.Where(each => each.Failure != null))
            Console.WriteLine($"FAILED {outcome.Name}: {outcome.Failure}");
        foreach (var outcome in outcomes.Where(each => each.Skipped != null))
            Console.WriteLine($"SKIPPED {outcome.Name}: {outcome.Skipped}");
        var failed = outcomes.Count(each => each.Failure != null);
        var skipped = outcomes.Count(each => each.Skipped != null);
        Console.WriteLine($"{outcomes.Count - failed - skipped} passed, {failed} failed, {skipped} skipped on .NET {Environment.Version}");
        if (Option(arguments, "--junit") is string file) Write(file, outcomes);
        return failed > 0 || outcomes.Count == 0 ? 1 : 0;
    }

    static string Option(string[] arguments, string name)
    {
        var at = Array.IndexOf(arguments, name);
        return at >= 0 && at + 1 < arguments.Length ? arguments[at + 1] : null;
    }

    static IEnumerable<(MethodInfo, object[], string)> Cases(string only)
    {
        foreach (var type in Assembly.GetExecutingAssembly().GetTypes().OrderBy(each => each.FullName, StringComparer.Ordinal))
            foreach (var method in type.GetMethods())
            {
                var name = type.Name + "." + method.Name;
                if (!name.Contains(only)) continue;
                if (method.GetCustomAttribute<TestAttribute>() != null) yield return (method, Array.Empty<object>(), name);
                foreach (var test in method.GetCustomAttributes<TestCaseAttribute>())
                    yield return (method, test.Arguments, $"{name}({string.Join(", ", test.Arguments)})");
            }
    }

    static Outcome Run((MethodInfo, object[], string) test)
    {
        var (method, arguments, name) = test;
        var outcome = new Outcome { Name = name };
        var clock = Stopwatch.StartNew();
        var owner = Activator.CreateInstance(method.DeclaringType);
        try
        {
            Each<SetUpAttribute>(owner);
            try
            {
                method.Invoke(owner, arguments);
            }
            finally
            {
                Each<TearDownAttribute>(owner);
            }
        }
        catch (TargetInvocationException exception) when (exception.InnerException is IgnoreException ignored)
        {
            outcome.Skipped = ignored.Message;
        }
        catch (TargetInvocationException exception)
        {
            outcome.Failure = exception.InnerException is AssertionException failed ? Place(failed) : exception.InnerException.ToString();
        }
        outcome.Seconds = clock.Elapsed.TotalSeconds;
        return outcome;
    }

    static string Place(AssertionException failure) =>
        failure.Message + "\n" + string.Join("\n", failure.StackTrace.Split('\n').Where(line => !line.Contains("NUnit.Framework")).Take(3));

    static void Each<T>(object owner) where T : Attribute
    {
        foreach (var method in owner.GetType().GetMethods().Where(each => each.GetCustomAttribute<T>() != null))
            method.Invoke(owner, null);
    }

    static void Write(string file, List<Outcome> outcomes)
    {
        using var xml = XmlWriter.Create(file, new XmlWriterSettings { Indent = true });
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", "Contrapose");
        xml.WriteAttributeString("tests", outcomes.Count.ToString());
        xml.WriteAttributeString("failures", outcomes.Count(each => each.Failure != null).ToString());
        foreach (var outcome in outcomes)
        {
            xml.WriteStartElement("testcase");
            xml.WriteAttributeString("name", outcome.Name);
            xml.WriteAttributeString("time", outcome.Seconds.ToString("F3"));
            if (outcome.Failure != null) xml.WriteElementString("failure", outcome.Failure);
            if (outcome.Skipped != null) xml.WriteElementString("skipped", outcome.Skipped);
            xml.WriteEndElement();
        }
        xml.WriteEndElement();
    }
}
